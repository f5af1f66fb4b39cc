"""The API's client always returns, even if the API server does not answer."""

import socket
from pathlib import Path

import pytest
import urllib3
import yaml

from kubeproof.access import api


def test_a_server_that_never_answers_is_not_waited_for(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """An API server with a frozen etcd accepts the request and stays silent."""
    monkeypatch.setattr(api, "REQUEST_SECONDS", 0.2)
    kubeconfig = tmp_path / "kubeconfig"
    with socket.create_server(("127.0.0.1", 0)) as silent:
        server = {"server": f"http://127.0.0.1:{silent.getsockname()[1]}"}
        context = {"cluster": "silent", "user": "nobody"}
        contents = {
            "clusters": [{"name": "silent", "cluster": server}],
            "users": [{"name": "nobody", "user": {}}],
            "contexts": [{"name": "silent", "context": context}],
            "current-context": "silent",
        }
        kubeconfig.write_text(yaml.safe_dump(contents))
        with pytest.raises(urllib3.exceptions.HTTPError, match="timed out"):
            api.Api(kubeconfig).core.list_node()
