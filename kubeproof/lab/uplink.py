"""Sets the spec's proxy and certificate authority for every client of a build."""

import os
import ssl
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from kubeproof.spec.model import Lab

# In both cases: curl and apt read http_proxy in lower case alone, some other clients in upper case alone.
PROXY = ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY")
# OpenSSL's and Go's variable, and pip's two.
AUTHORITIES = ("SSL_CERT_FILE", "PIP_CERT", "REQUESTS_CA_BUNDLE")
DEBIANS = "/etc/ssl/certs/ca-certificates.crt"


@contextmanager
def of(lab: Lab) -> Iterator[None]:
    """Let downloads in the block use the spec's proxy, and trust its authority beside the system's.

    Environment variables carry both, because the downloads, go, apt and pip all read them; a null key of the spec
    leaves its variables as they are. (apt asks Debian's archive without TLS, and verifies signatures.)
    """
    before = dict(os.environ)
    with tempfile.NamedTemporaryFile("w", suffix=".pem") as authorities:
        if lab.proxy:
            os.environ.update(dict.fromkeys(PROXY, lab.proxy))
        if lab.ca:
            system = Path(ssl.get_default_verify_paths().cafile or DEBIANS)
            authorities.write(f"{system.read_text() if system.exists() else ''}\n{lab.ca.read_text()}")
            authorities.flush()
            os.environ.update(dict.fromkeys(AUTHORITIES, authorities.name))
        try:
            yield
        finally:
            for name in (*PROXY, *AUTHORITIES):
                os.environ.pop(name, None)
                os.environ.update({name: before[name]} if name in before else {})
