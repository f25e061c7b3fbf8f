# SPDX-License-Identifier: Apache-2.0
"""Image archives made by hand, also such as no tool would make.

    image = Image(config={"Env": ["A=b"]}, layers=[Layer().file("etc/x", b"…"), Layer().gone("etc/x")])
    docker_save(path, [("app:1", image)])
    oci_layout(path, [("app:1", image)], pack="zstd")
"""
import gzip
import hashlib
import io
import json
import lzma
import pathlib
import subprocess
import tarfile


def digest(data):
    return "sha256:" + hashlib.sha256(data).hexdigest()


def pack(data, how):
    if how == "gzip":
        return gzip.compress(data, 6, mtime=0)
    if how == "xz":
        return lzma.compress(data)
    if how == "zstd":
        return subprocess.run(["zstd", "-q", "-c"], input=data, check=True, stdout=subprocess.PIPE).stdout
    return data


class Layer:
    """Members in order; raw() adds bytes as they are, for what tarfile refuses to write."""

    def __init__(self):
        self.out = io.BytesIO()

    def member(self, name, data=b"", **fields):
        info = tarfile.TarInfo(name)
        info.size = len(data)
        for key, value in fields.items():
            setattr(info, key, value)
        self.out.write(info.tobuf(tarfile.PAX_FORMAT))
        self.out.write(data + b"\0" * (-len(data) % 512))
        return self

    def file(self, name, data):
        return self.member(name, data)

    def folder(self, name):
        return self.member(name, type=tarfile.DIRTYPE)

    def link(self, name, target):
        return self.member(name, type=tarfile.SYMTYPE, linkname=target)

    def gone(self, name):
        folder, _, last = name.rpartition("/")
        return self.member((folder + "/" if folder else "") + ".wh." + last)

    def opaque(self, folder):
        return self.member(folder + "/.wh..wh..opq")

    def raw(self, data):
        self.out.write(data)
        return self

    def bytes(self):
        return self.out.getvalue() + b"\0" * 1024


def pax(records):
    """An extended header of exactly these (key, value) pairs."""
    body = b""
    for key, value in records:
        line = f" {key}={value}\n".encode()
        n = len(line) + 1
        while len(str(n)) + len(line) != n:
            n = len(str(n)) + len(line)
        body += str(n).encode() + line
    info = tarfile.TarInfo("pax")
    info.type = tarfile.XHDTYPE
    info.size = len(body)
    return info.tobuf(tarfile.USTAR_FORMAT) + body + b"\0" * (-len(body) % 512)


class Image:
    def __init__(self, layers, config=None, history=None, platform=("linux", "amd64")):
        self.layers = [layer.bytes() if isinstance(layer, Layer) else layer for layer in layers]
        self.document = {"architecture": platform[1], "os": platform[0], "config": config or {}, "history": history or [],
                         "rootfs": {"type": "layers", "diff_ids": [digest(layer) for layer in self.layers]}}

    def config(self):
        return json.dumps(self.document).encode()


def write_tar(path, members):
    with tarfile.open(path, "w", format=tarfile.PAX_FORMAT) as tar:
        for name, data in members:
            info = tarfile.TarInfo(name)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    return pathlib.Path(path)


def docker_save(path, images, change=lambda members, manifest: None):
    """As Docker before 25: NAME/layer.tar and manifest.json at the end."""
    members, manifest = [], []
    for tag, image in images:
        layers = []
        for i, layer in enumerate(image.layers):
            name = f"{digest(layer)[7:]}/layer.tar"
            layers.append(name)
            if name not in dict(members):
                members.append((name, layer))
        config = f"{digest(image.config())[7:]}.json"
        members.append((config, image.config()))
        manifest.append({"Config": config, "RepoTags": [tag], "Layers": layers})
    change(members, manifest)
    return write_tar(path, [*members, ("manifest.json", json.dumps(manifest).encode())])


def oci_members(images, how="gzip", attestation=None):
    """index.json and blobs as (name, data); one manifest for each image."""
    blobs, manifests = {}, []

    def put(data):
        blobs["blobs/sha256/" + digest(data)[7:]] = data
        return {"digest": digest(data), "size": len(data)}

    for tag, image in images:
        layers = [{"mediaType": "application/vnd.oci.image.layer.v1.tar" + ("" if how == "plain" else "+" + how),
                   **put(pack(layer, how))} for layer in image.layers]
        manifest = {"schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json",
                    "config": {"mediaType": "application/vnd.oci.image.config.v1+json", **put(image.config())},
                    "layers": layers}
        manifests.append({"mediaType": manifest["mediaType"], **put(json.dumps(manifest).encode()),
                          "platform": {"os": image.document["os"], "architecture": image.document["architecture"]},
                          "annotations": {"io.containerd.image.name": tag}})
    if attestation is not None:
        statement = {"mediaType": "application/vnd.in-toto+json", **put(json.dumps(attestation).encode())}
        manifest = {"schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json",
                    "config": {"mediaType": "application/vnd.oci.image.config.v1+json", **put(b"{}")},
                    "layers": [statement]}
        manifests.append({"mediaType": manifest["mediaType"], **put(json.dumps(manifest).encode()),
                          "platform": {"os": "unknown", "architecture": "unknown"},
                          "annotations": {"vnd.docker.reference.type": "attestation-manifest"}})
    index = {"schemaVersion": 2, "mediaType": "application/vnd.oci.image.index.v1+json", "manifests": manifests}
    return [("oci-layout", b'{"imageLayoutVersion":"1.0.0"}'), ("index.json", json.dumps(index).encode()), *blobs.items()]


def oci_layout(path, images, how="gzip", **more):
    return write_tar(path, oci_members(images, how, **more))


def oci_folder(path, images, how="gzip"):
    for name, data in oci_members(images, how):
        file = pathlib.Path(path) / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(data)
    return pathlib.Path(path)
