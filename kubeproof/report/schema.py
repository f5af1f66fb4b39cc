"""The JSON Schema of results.json: `python -m kubeproof.report.schema` prints it, and docs/ has a copy."""

import json
import sys

from kubeproof.results.document import Document

DIALECT = "https://json-schema.org/draft/2020-12/schema"  # pydantic's

if __name__ == "__main__":
    schema = {"$schema": DIALECT, **Document.model_json_schema(mode="serialization")}
    sys.stdout.write(json.dumps(schema, indent=1) + "\n")
