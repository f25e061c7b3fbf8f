# SPDX-License-Identifier: Apache-2.0
"""RFC 6962 trees and the leaves of the audit log, written apart from the product."""
import base64
import hashlib
import struct


def sha(*parts):
    return hashlib.sha256(b"".join(parts)).digest()


def leaf(entry):
    """The leaf of an exported entry, from its parts alone."""
    salt, record = base64.b64decode(entry["salt"]), base64.b64decode(entry["record"])
    commit, envelope = base64.b64decode(entry["commit"]), base64.b64decode(entry["envelope"])
    assert commit == sha(salt, record)
    return sha(b"\0", struct.pack(">Q", entry["index"]), commit, envelope)


def root(leaves):
    if not leaves:
        return sha()
    if len(leaves) == 1:
        return leaves[0]
    k = 1
    while 2 * k < len(leaves):
        k *= 2
    return sha(b"\1", root(leaves[:k]), root(leaves[k:]))


def inclusion(leaves, m):
    """The audit path of leaf m."""
    if len(leaves) == 1:
        return []
    k = 1
    while 2 * k < len(leaves):
        k *= 2
    if m < k:
        return inclusion(leaves[:k], m) + [root(leaves[k:])]
    return inclusion(leaves[k:], m - k) + [root(leaves[:k])]


def consistency(leaves, m, whole=True):
    """The proof that the first m leaves were a tree of their own."""
    n = len(leaves)
    if m == n:
        return [] if whole else [root(leaves)]
    k = 1
    while 2 * k < n:
        k *= 2
    if m <= k:
        return consistency(leaves[:k], m, whole) + [root(leaves[k:])]
    return consistency(leaves[k:], m - k, False) + [root(leaves[:k])]


def checkpoint(note):
    """(size, root) of a signed head."""
    lines = note.split("\n")
    return int(lines[1]), base64.b64decode(lines[2])
