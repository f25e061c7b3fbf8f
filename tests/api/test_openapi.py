# SPDX-License-Identifier: Apache-2.0
"""sys/internal/specs/openapi: a valid OpenAPI 3.0 document that has every route."""
import pathlib
import re

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
ROW = re.compile(r'\{\s*"([a-z0-9]+)",\s*((?:M_\w+[ |]*)+),\s*((?:"[^"]*"\s*)+),')
BASE = {"system": "/sys/", "token": "/auth/token/", "host": "/auth/host/"}
VERBS = {"M_GET": "get", "M_LIST": "get", "M_SCAN": "get", "M_POST": "post", "M_PATCH": "patch", "M_DELETE": "delete"}
TYPES = {"string", "integer", "boolean", "array", "object"}


def rows():
    """Every row of the route tables, out of their sources: engine, method, path."""
    for f in sorted((ROOT / "server/core").rglob("api_*.c")):
        for engine, methods, pattern in ROW.findall(f.read_text()):
            pattern = "".join(re.findall(r'"([^"]*)"', pattern))
            pattern = re.sub(r"[:*](\w+)", r"{\1}", pattern)
            for m in re.findall(r"M_\w+", methods):
                yield engine, m, pattern


@pytest.fixture(scope="module")
def generic(server):
    r = server.client().get("sys/internal/specs/openapi?generic_mount_paths=true")
    assert r.status == 200
    return r.json


def check_schema(s):
    assert s.get("type", "object") in TYPES
    if s.get("type") == "array":
        check_schema(s["items"])
    for member in s.get("properties", {}).values():
        check_schema(member)


def check(doc):
    """What the specification asks of the parts that we use."""
    assert doc["openapi"] == "3.0.2" and {"title", "version"} <= set(doc["info"])
    assert set(doc) == {"openapi", "info", "servers", "paths", "components", "security"}
    ids = []
    for path, item in doc["paths"].items():
        assert path.startswith("/") and "//" not in path and set(item) <= set(VERBS.values())
        for op in item.values():
            ids.append(op["operationId"])
            assert op["responses"]["200"]["description"]
            parameters = op.get("parameters", [])
            assert len({(p["name"], p["in"]) for p in parameters}) == len(parameters)
            for p in parameters:
                assert p["in"] in ("path", "query") and p["required"] == (p["in"] == "path")
                check_schema(p["schema"])
            assert [p["name"] for p in parameters if p["in"] == "path"] == re.findall(r"\{(\w+)\}", path)
            for media in op.get("requestBody", {"content": {}})["content"].values():
                check_schema(media["schema"])
    assert len(ids) == len(set(ids))


def test_structure(generic):
    check(generic)
    assert len(generic["paths"]) > 100


def test_validator(generic):
    validator = pytest.importorskip("openapi_spec_validator")
    validator.validate(generic)


def test_every_route_is_there(generic):
    n = 0
    for engine, method, pattern in rows():
        path = BASE.get(engine, f"/{{{engine}_mount_path}}/") + pattern
        path = path.rstrip("/") + ("/" if method in ("M_LIST", "M_SCAN") else "")
        assert VERBS[method] in generic["paths"].get(path, {}), (engine, method, path)
        n += 1
    assert n > 140


def test_fields_and_flags(generic):
    op = generic["paths"]["/sys/rekey/init"]["post"]
    members = op["requestBody"]["content"]["application/json"]["schema"]["properties"]
    assert members["secret_shares"]["type"] == "integer" and members["pgp_keys"]["items"] == {"type": "string"}
    assert op["x-vault-sudo"] is True and "security" not in op
    assert generic["paths"]["/sys/unseal"]["post"]["security"] == []
    listing = generic["paths"]["/sys/policies/acl/"]["get"]
    assert {"name": "list", "in": "query"} .items() <= listing["parameters"][-1].items()
    assert generic["components"]["securitySchemes"]["token"]["name"] == "X-Vault-Token"


def test_own_mounts(server, c, generic):
    doc = c.get("sys/internal/specs/openapi").json
    check(doc)
    assert "/secret/data/{path}" in doc["paths"] and "/{kv_mount_path}/data/{path}" not in doc["paths"]
    weak = c.post("auth/token/create", {"policies": ["default"]}).json["auth"]["client_token"]
    assert c.get("sys/internal/specs/openapi", token=weak).json == generic, "paths of mounts are not told"
    assert c.get("sys/internal/specs/openapi", token=None).status == 403
