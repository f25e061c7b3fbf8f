# SPDX-License-Identifier: Apache-2.0
"""Random tokens of every family in scanner/rules, with right or wrong checksums."""

import base64
import hashlib
import json
import pathlib
import struct
import zlib

try:
    import re._constants as op
    import re._parser as regex_parser
except ImportError:
    import sre_constants as op
    import sre_parse as regex_parser

import yaml

RULES = pathlib.Path(__file__).resolve().parents[2] / "scanner" / "rules"
BASE62 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
BASE58 = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
BECH32 = "qpzry9x8gf2tvdw0s3jn54khce6mua7l"
MASK = 0xFFFFFFFF
CATEGORIES = {op.CATEGORY_DIGIT: BASE62[:10], op.CATEGORY_SPACE: " ",
              op.CATEGORY_WORD: BASE62, op.CATEGORY_NOT_SPACE: BASE62}


def load_rules():
    """All rules, in the order of their files."""
    rules = []
    for path in sorted(RULES.glob("*.yaml")):
        rules += yaml.safe_load(path.read_text(encoding="utf-8"))["rules"]
    return rules


def number(value, alphabet, width=0):
    text = ""
    while value:
        value, digit = divmod(value, len(alphabet))
        text = alphabet[digit] + text
    return text.rjust(width, alphabet[0])


def members(items):
    """The characters of a class."""
    chars, negated = set(), False
    for kind, value in items:
        if kind is op.NEGATE:
            negated = True
        elif kind is op.LITERAL:
            chars.add(chr(value))
        elif kind is op.RANGE:
            chars |= {chr(c) for c in range(value[0], value[1] + 1)}
        elif kind is op.CATEGORY:
            chars |= set(CATEGORIES[value])
    return sorted(set(BASE62) - chars) if negated else sorted(chars)


def random_match(rng, parsed):
    """A random string that the parsed regular expression matches."""
    out = ""
    for kind, value in parsed:
        if kind is op.LITERAL:
            out += chr(value)
        elif kind is op.IN:
            out += rng.choice(members(value))
        elif kind is op.SUBPATTERN:
            out += random_match(rng, value[3])
        elif kind is op.BRANCH:
            out += random_match(rng, rng.choice(value[1]))
        elif kind in (op.MAX_REPEAT, op.MIN_REPEAT):
            least, most, sub = value
            most = least + 6 if most is op.MAXREPEAT else min(most, least + 6)
            out += "".join(random_match(rng, sub) for _ in range(rng.randint(least, most)))
        elif kind is not op.AT:
            out += "x"
    return out


def rotl(value, by):
    return (value << by | value >> (32 - by)) & MASK


def marvin32(data, seed):
    value = int.from_bytes(seed.encode(), "big")
    p = [value & MASK, value >> 32]
    words = [data[i:i + 4] for i in range(0, len(data) - 3, 4)]
    words += [data[len(words) * 4:] + b"\x80", b""]
    for word in words:
        p[0] = (p[0] + int.from_bytes(word, "little")) & MASK
        p[1] ^= p[0]
        p[0] = (rotl(p[0], 20) + p[1]) & MASK
        p[1] = rotl(p[1], 9) ^ p[0]
        p[0] = (rotl(p[0], 27) + p[1]) & MASK
        p[1] = rotl(p[1], 19)
    return p[0] ^ p[1]


def azure(text, seed):
    """The key with its last four bytes made right."""
    url = "-" in text or "_" in text
    raw = base64.b64decode(text.replace("-", "+").replace("_", "/") + "=" * (-len(text) % 4))
    fixed = base64.b64encode(raw[:-4] + struct.pack("<I", marvin32(raw[:-4], seed))).decode()
    if url:
        fixed = fixed.replace("+", "-").replace("/", "_")
    return fixed if text.endswith("=") else fixed.rstrip("=")


def bech32(rng, prefix):
    def polymod(values):
        check = 1
        for value in values:
            top = check >> 25
            check = (check & 0x1FFFFFF) << 5 ^ value
            for i, part in enumerate((0x3B6A57B2, 0x26508E6D, 0x1EA119FA, 0x3D4233DD,
                                      0x2A1462B3)):
                check ^= part if top >> i & 1 else 0
        return check

    data = [rng.randrange(32) for _ in range(51)] + [16]
    head = [ord(c) >> 5 for c in prefix] + [0] + [ord(c) & 31 for c in prefix]
    rest = polymod(head + data + [0] * 6) ^ 1
    data += [rest >> 5 * (5 - i) & 31 for i in range(6)]
    return prefix + "1" + "".join(BECH32[v] for v in data)


def base58check(raw):
    raw += hashlib.sha256(hashlib.sha256(raw).digest()).digest()[:4]
    return number(int.from_bytes(raw, "big"), BASE58)


def b64url(raw):
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


def jwt(rng, header, payload):
    parts = [b64url(json.dumps(p, separators=(",", ":")).encode()) for p in (header, payload)]
    return ".".join([*parts, b64url(rng.randbytes(64))])


def special(rng, rule_id, text):
    """Families whose inside is encoded text; None for the others."""
    word = "".join(rng.choice(BASE62) for _ in range(40))
    pack = lambda value: base64.b64encode(json.dumps(value).encode()).decode().rstrip("=")
    if rule_id == "jwt":
        return jwt(rng, {"alg": "HS256", "typ": "JWT"}, {"sub": str(rng.randrange(10**6)),
                                                        "iat": 1731000000, "role": "admin"})
    if rule_id == "k8s-sa-token":
        return jwt(rng, {"alg": "RS256", "kid": word}, {
            "iss": "kubernetes/serviceaccount", "sub": "system:serviceaccount:prod:deploy"})
    if rule_id == "discord-bot":
        return (base64.b64encode(str(rng.randrange(10**17, 10**18)).encode()).decode().rstrip("=")
                + text[text.index("."):])
    if rule_id == "grafana-cloud":
        return "glc_" + pack({"o": "471892", "n": "ci-writer", "k": word, "m": {"r": "eu"}})
    if rule_id == "1password-sa":
        return "ops_" + pack({"email": "x@1passwordserviceaccounts.com", "muk": word * 3,
                              "srpX": word})
    if rule_id == "artifactory-ref":
        return base64.b64encode(("reftkn:01:0:1731000000:" + word)[:48].encode()).decode()
    if rule_id == "intercom-token":
        return base64.b64encode(b"tok:" + word.encode()).decode()[:60]
    if rule_id == "aws-bedrock-long":
        return "ABSK" + base64.b64encode(b"BedrockAPIKey-k3qz-at-471892330117:"
                                         + rng.randbytes(60)).decode()
    if rule_id == "eth-private":
        return f"0x{rng.getrandbits(255):064x}"
    return None


def checked(rng, rule, text):
    """The token with the checksum that its rule asks for."""
    name, _, arg = rule.get("validator", "").partition(":")
    if name == "crc32-base62":
        return text[:-6] + number(zlib.crc32(text[int(arg):-6].encode()), BASE62, 6)
    if name == "crc32-hex":
        body = text[text.index(arg) + 1:-8].rstrip("_")
        return text[:-8] + f"{zlib.crc32(body.encode()):08x}"
    if name == "crc32-hex-upper":
        return text[:-8] + f"{zlib.crc32(text[int(arg):-8].encode()):08X}"
    if name == "crc32-le-hex":
        return text[:-8] + struct.pack("<I", zlib.crc32(text[:-9].encode())).hex()
    if name == "crc32-base36":
        payload = text.split(".")[0]
        body = payload + ".01." + number(len(payload) - 6, BASE62[:10] + BASE62[36:], 2)
        return body + number(zlib.crc32(body.encode()), BASE62[:10] + BASE62[36:], 7)
    if name == "marvin32":
        return azure(text, arg.split(",")[0])
    if name == "bech32":
        made = bech32(rng, "age-secret-key-" if "AGE" in rule["regex"] else "nsec")
        return made.upper() if "AGE" in rule["regex"] else made
    if name == "base58check":
        return base58check(b"\x80" + rng.randbytes(32) + b"\x01" if arg else
                           bytes.fromhex("0488ade4") + bytes(9) + rng.randbytes(65))
    return special(rng, rule["id"], text) or text


def token(rng, rule):
    """A random token of the rule, as a provider would make it."""
    parsed = regex_parser.parse(rule["regex"])
    while True:
        text = checked(rng, rule, random_match(rng, parsed))
        # What no generator would hand out, and what is no token of that rule any more.
        if rule["id"] == "azure-search-key" and not text.isalnum():
            continue
        if len(set(text)) > 7 and not any(c * 4 in text for c in set(text)):
            return text


def lookalike(rng, rule):
    """The same with one character of the checksum changed."""
    text = token(rng, rule)
    last = text[-1] if not rule["validator"].startswith(("bech32", "base58")) else text[-4]
    alphabet = {"c": "0123456789", "b": "qpzr" if text[0] == "n" else "QPZR"}[
        rule["validator"][0]] if not rule["validator"].startswith("base58") else "2345"
    other = rng.choice([c for c in alphabet if c != last])
    at = len(text) - 1 if last == text[-1] and "crc" in rule["validator"] else len(text) - 4
    return text[:at] + other + text[at + 1:]
