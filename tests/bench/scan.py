# SPDX-License-Identifier: Apache-2.0
"""The scanner: how fast it reads text and images, what it takes, and what others take for the same in the same run.

One worker parses and matches; the main process opens files and prints. Rates are of whole runs of the program, the best
of a few, in bytes of the input; texts are what this machine has."""

import collections
import contextlib
import gzip
import hashlib
import io
import json
import os
import pathlib
import random
import shutil
import socket
import statistics
import subprocess
import tarfile
import threading
import time
import zlib

import images
import scan_peers
import vaultd

HERE = pathlib.Path(__file__).resolve().parent
MB, MIB = 1e6, 1 << 20
TEXT = 256 * MIB
TREE = 64 * MIB
IMAGE = 192 * MIB
HUGE = 5 << 30
KNOWN = 6000
STARTS = 15
SOURCE = (("/usr/include", ".h"), ("/usr/lib/python3", ".py"), ("/usr/lib/python3.11", ".py"), ("/usr/share/perl", ".pm"),
          ("/usr/share/nodejs", ".js"), ("/usr/lib/node_modules", ".js"))
PROSE = (("/usr/share/doc", ""), ("/usr/share/common-licenses", ""), ("/usr/share/perl", ".pod"), ("/usr/share/i18n", ""))

Run = collections.namedtuple("Run", "wall_s cpu_s")


def run(*command, env=None, cwd="/", allowed=(0, 1)):
    """One run with its children."""
    start = time.monotonic()
    # Into a file: grep looks no further than the first match where nobody reads what it counts.
    with open(os.memfd_create("out"), "wb") as out, subprocess.Popen(
            [str(c) for c in command], stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.PIPE, cwd=cwd,
            env={"PATH": os.environ["PATH"], "HOME": "/nonexistent", **(env or {})}) as p:
        said = p.stderr.read()
        _, status, used = os.wait4(p.pid, 0)
        p.returncode = os.waitstatus_to_exitcode(status)
    if p.returncode not in allowed:
        raise RuntimeError(f"{command[0]}: {p.returncode}: {said[-500:]!r}")
    return Run(time.monotonic() - start, used.ru_utime + used.ru_stime)


def best(*command, times=3, **kw):
    return min((run(*command, **kw) for _ in range(times)), key=lambda r: r.wall_s)


def ctl(*args):
    return [vaultd.BIN / "vaultctl", "scan", *args, "--workers=1", "--format=jsonl"]


# --- inputs ---

def files(places):
    """In an order that mixes the places, and is the same next time."""
    every = [path for root, suffix in places for path in sorted(pathlib.Path(root).rglob("*" + suffix))
             if path.is_file() and not path.is_symlink() and path.suffix not in (".gz", ".png", ".gif", ".xz")]
    random.Random(1).shuffle(every)
    return every


def texts(places, size):
    """(path, bytes) of about this many bytes in all; the same ones again, if there are too few."""
    every, have = files(places), 0
    if not every:
        raise RuntimeError(f"nothing to read in {places}")
    while have < size:
        for path in every:
            data = path.read_bytes()
            have += len(data)
            yield path, data
            if have >= size:
                return


def one_file(path, places):
    with open(path, "wb") as f:
        for _, data in texts(places, TEXT):
            f.write(data)
    return path


def tree(root, size):
    for n, (path, data) in enumerate(texts(SOURCE, size)):
        folder = root / f"{n // 200:04d}"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{n:06d}{path.suffix}").write_bytes(data)
    return root


def gzip_image(path):
    """As `docker save` writes it, but with the layer packed, as registries have it: programs, libraries, texts."""
    layer = io.BytesIO()
    with tarfile.open(fileobj=layer, mode="w") as tar:
        for n, (file, data) in enumerate(texts((("/usr/lib", ".so*"), ("/usr/bin", ""), *SOURCE), IMAGE)):
            info = tarfile.TarInfo(f"usr/{n}{file}")
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    image = images.Image([layer.getvalue()])
    packed = path.with_suffix(".layer.gz")
    packed.write_bytes(gzip.compress(image.layers[0], 6, mtime=0))
    images.docker_save(path, [("bench:1", image)], lambda members, _: members.__setitem__(
        0, (members[0][0], packed.read_bytes())))
    return packed, len(image.layers[0])


# --- parts ---

def rate(size, r):
    return size / MB / r.wall_s


class Engine:
    """tests/bench/engine.c, compiled: vectorscan alone, with what token formats are looked for by."""

    def __init__(self, tmp):
        self.program = tmp / "engine"
        flags = subprocess.run(["pkg-config", "--cflags", "--libs", "libhs"], check=True, capture_output=True, text=True)
        subprocess.run([os.environ.get("CC", "cc"), "-O2", "-D_GNU_SOURCE", "-o", self.program, HERE / "engine.c",
                        *flags.stdout.split()], check=True)

    def search(self, path):
        """(expressions, CPU seconds)"""
        out = subprocess.run([self.program, HERE / "tokens.rx", path], check=True, capture_output=True, text=True).stdout
        n, seconds = out.split()
        return int(n), float(seconds)


def bench_text(table, tmp):
    engine = Engine(tmp)
    for what, places in (("source text", SOURCE), ("prose", PROSE)):
        path = one_file(tmp / "text", places)
        size = path.stat().st_size
        band = best("grep", "-c", "x", path, env={"LC_ALL": "C"})
        r = best(*ctl("fs", path))
        gbs = size / r.cpu_s / 1e9
        table.judge(f"scan of {size / MB:.0f} MB of {what}, one worker",
                    f"{rate(size, r):,.0f} MB/s, {gbs * 1000:,.0f} MB per CPU second (grep -c: {rate(size, band):,.0f} MB/s)",
                    ">= 1.0 GB/s per core", gbs >= 1.0)
        n, seconds = engine.search(path)
        table.judge("  of what vectorscan alone reads",
                    f"{seconds / r.cpu_s:.2f} of {size / MB / seconds:,.0f} MB/s, {n} expressions, none of them confirmed",
                    ">= 0.40", seconds >= 0.4 * r.cpu_s)
        for cpu, but in (("avx2", ""), ("plain", ", but for vectorscan")):
            less = best(*ctl("fs", path, f"--cpu={cpu}"))
            table.add(f"  with --cpu={cpu}", f"{size / MB / less.cpu_s:,.0f} MB per CPU second{but}")
        if what == "source text":
            bench_known(table, tmp, path, r)
        path.unlink()


def bench_known(table, tmp, path, plain):
    home = tmp / "vault"
    home.mkdir()
    server = vaultd.Server(home, tls=False)
    server.start()
    try:
        server.init()
        c = server.client()
        for i in range(KNOWN):
            value = hashlib.sha256(b"%d" % i + os.urandom(16)).hexdigest()[:40]
            assert c.post(f"secret/data/known/{i:05d}", {"data": {"password": value}}).status == 200
        env = {"VAULT_ADDR": server.url, "VAULT_TOKEN": server.root}
        few = tmp / "few"
        few.write_text("x = 1\n")
        pack = best(*ctl("fs", few, "--known"), env=env)
        r = best(*ctl("fs", path, "--known"), env=env)
    finally:
        server.stop()
    alone = best(*ctl("fs", few))
    more = (r.cpu_s - pack.cpu_s) / (plain.cpu_s - alone.cpu_s) - 1
    table.judge(f"the same, with {KNOWN:,} secrets of the vault known", f"{more * 100:+.0f} % of CPU time",
                "<= 30 %", more <= 0.30)
    table.add("  the pack of them, made and fetched", f"{(pack.wall_s - alone.wall_s) * 1000:,.0f} ms")


def inflate(path):
    """Seconds that zlib takes, if nobody looks at what comes out."""
    data, times = memoryview(path.read_bytes()), []
    for _ in range(3):
        start = time.monotonic()
        z = zlib.decompressobj(31)
        for at in range(0, len(data), 64 << 10):
            z.decompress(data[at:at + (64 << 10)])
        times.append(time.monotonic() - start)
    return min(times)


def bench_image(table, tmp, peers):
    path = tmp / "image.tar"
    packed, size = gzip_image(path)
    unpack, alone = best("gzip", "-t", packed), inflate(packed)
    r = best(*ctl("image", path))
    of = alone / r.wall_s
    table.judge(f"scan of a gzip image, {size / MB:.0f} MB unpacked",
                f"{rate(size, r):,.0f} MB/s = {of:.2f} x zlib alone, {unpack.wall_s / r.wall_s:.2f} x gzip -t",
                ">= 1.8 x zlib", of >= 1.8)
    command = peers.image(path)
    if command:
        p = best(*command, times=1, allowed=scan_peers.ENDS)
        table.judge("  the same by kingfisher", f"{rate(size, p):,.0f} MB/s: ours is {p.wall_s / r.wall_s:.1f} x as fast",
                    "> 1 x", p.wall_s > r.wall_s)
    packed.unlink()
    path.unlink()


def bench_peers(table, tmp, peers):
    trees = {}
    for name, (command, mib) in peers.commands().items():
        root = trees.get(mib) or trees.setdefault(mib, tree(tmp / f"tree{mib}", mib * MIB))
        size = sum(f.stat().st_size for f in root.rglob("*") if f.is_file())
        r = best(*command, times=1, cwd=root, allowed=scan_peers.ENDS)
        ours = best(*ctl("fs", root))
        goal = 1 if name == "kingfisher" else 20
        table.judge(f"{size / MB:.0f} MB in files, {name}",
                    f"{rate(size, r):,.1f} MB/s, ours {rate(size, ours):,.0f} MB/s: {r.wall_s / ours.wall_s:,.1f} x",
                    f"> {goal} x", r.wall_s > goal * ours.wall_s)
    for name, why in peers.why.items():
        table.add(f"{name} could not be installed", why)


def bench_start(table, tmp, peers):
    small = tmp / "small"
    small.mkdir()
    (small / "a.txt").write_text("x = 1\n")
    run(*ctl("fs", small))
    ms = statistics.median(run(*ctl("fs", small)).wall_s for _ in range(STARTS)) * 1000
    table.judge("start to end with one small file", f"{ms:.1f} ms", "<= 20 ms", ms <= 20)
    for name, (command, _) in peers.commands().items():
        run(*command, cwd=small, allowed=scan_peers.ENDS)
        p = best(*command, cwd=small, allowed=scan_peers.ENDS)
        table.add(f"  {name}", f"{p.wall_s * 1000:,.0f} ms")


# --- an image that is never anywhere as a whole ---

class HugeImage:
    """A Docker Engine that answers one request: an archive of one layer, made while it is sent."""

    def __init__(self, path, size):
        self.size = size
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.bind(str(path))
        self.socket.listen()
        self.thread = threading.Thread(target=self.serve, daemon=True)
        self.thread.start()

    def serve(self):
        with contextlib.suppress(OSError):
            while True:
                c, _ = self.socket.accept()
                with c:
                    c.recv(65536)
                    c.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: application/x-tar\r\nTransfer-Encoding: chunked\r\n\r\n")
                    self.archive(lambda data, c=c: c.sendall(b"%x\r\n%s\r\n" % (len(data), data)))
                    c.sendall(b"0\r\n\r\n")

    def archive(self, send):
        block = b"".join(data for _, data in texts(SOURCE, 16 * MIB))[:16 * MIB]
        count = self.size // (4 * len(block))
        sums = hashlib.sha256()

        def layer(data):
            sums.update(data)
            send(data)
        send(header("layer/layer.tar", count * (512 + 4 * len(block)) + 1024))
        for n in range(count):
            layer(header(f"usr/share/{n}.txt", 4 * len(block)))
            for _ in range(4):
                layer(block)
        layer(b"\0" * 1024)
        config = json.dumps({"os": "linux", "architecture": "amd64", "config": {}, "history": [],
                             "rootfs": {"type": "layers", "diff_ids": ["sha256:" + sums.hexdigest()]}}).encode()
        name = hashlib.sha256(config).hexdigest() + ".json"
        manifest = json.dumps([{"Config": name, "RepoTags": ["huge:1"], "Layers": ["layer/layer.tar"]}]).encode()
        for each, data in ((name, config), ("manifest.json", manifest)):
            send(header(each, len(data)) + data + b"\0" * (-len(data) % 512))
        send(b"\0" * 1024)

    def close(self):
        self.socket.shutdown(socket.SHUT_RDWR)
        self.socket.close()


def header(name, size):
    info = tarfile.TarInfo(name)
    info.size = size
    return info.tobuf(tarfile.GNU_FORMAT)


def peaks(pid):
    """VmHWM in KiB of a process and of each of its children."""
    found = {}
    for path in pathlib.Path("/proc").glob("[0-9]*/status"):
        with contextlib.suppress(OSError, ValueError):
            rows = dict(line.split(":", 1) for line in path.read_text().splitlines())
            if pid in (int(rows["Pid"]), int(rows["PPid"])) and "VmHWM" in rows:
                found[int(rows["Pid"])] = int(rows["VmHWM"].split()[0])
    return found


def watch(workers, tmp):
    engine = HugeImage(tmp / f"docker{workers}.sock", HUGE)
    command = [vaultd.BIN / "vaultctl", "scan", "image", "huge:1", f"--workers={workers}", "--format=jsonl",
               f"--docker-socket={tmp}/docker{workers}.sock"]
    seen, start = {}, time.monotonic()
    with subprocess.Popen([str(c) for c in command], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True,
                          env={"PATH": os.environ["PATH"], "HOME": "/nonexistent"}) as p:
        lines = collections.deque(maxlen=1)
        reader = threading.Thread(target=lambda: lines.extend(p.stdout))
        reader.start()
        while p.poll() is None:
            for pid, kib in peaks(p.pid).items():
                seen[pid] = max(kib, seen.get(pid, 0))
            time.sleep(0.05)
        reader.join()
    engine.close()
    summary = json.loads(lines[-1])
    if not summary["complete"] or summary["bytes"] < HUGE * 0.9:
        raise RuntimeError(f"the huge image was not scanned: {summary}")
    return seen.pop(p.pid), sorted(seen.values()), time.monotonic() - start


def bench_huge(table, tmp):
    for workers in (1, 4):
        main, others, seconds = watch(workers, tmp)
        total, goal = (main + sum(others)) / 1024, 96 + 8 * workers
        table.judge(f"memory for an image of {HUGE / 1e9:.1f} GB, {workers} worker{'s' * (workers > 1)}",
                    f"{total:.0f} MiB: {main / 1024:.0f} + {' + '.join(f'{k / 1024:.0f}' for k in others)}; "
                    f"{HUGE / MB / seconds:,.0f} MB/s", f"<= {goal} MiB", total <= goal)


def bench(table, tmp):
    peers = scan_peers.Peers(HERE.parents[1] / "build/scan-peers").install()
    home = tmp / "scan"
    home.mkdir()
    try:
        bench_start(table, home, peers)
        bench_text(table, home)
        bench_image(table, home, peers)
        bench_peers(table, home, peers)
        bench_huge(table, home)
    finally:
        shutil.rmtree(home, ignore_errors=True)
