#!/usr/bin/env python3
"""Checks the vectors against the text of comity-1.md, with nothing of the implementation: a second reading of the spec.

Needs `cbor2` (for encoding) and `cryptography` (for Ed25519). Exits non-zero at the first family that disagrees.
"""
import base64
import hashlib
import json
import pathlib
import re
import sys

import cbor2
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

HERE = pathlib.Path(__file__).parent
DEPTH, ITEMS, OBJECT = 12, 300_000, 14_680_064
# y-coordinates of points of small order (spec 3.5): 0, 1, -1 and two of order 8, modulo the field's prime.
P = 2**255 - 19
D = -121665 * pow(121666, -1, P) % P


def eighth_order_y():
    """y^2 of the points of order 8: those whose double has y = 0, from -x^2 + y^2 = 1 + d x^2 y^2 and x^2 = -y^2."""
    # With x^2 = -y^2 (the condition for the double's y to vanish): 2 y^2 = 1 - d y^4.
    root = square_root((1 + D) % P)
    found = set()
    for sign in (1, -1):
        y2 = (-1 + sign * root) * pow(D, -1, P) % P
        y = square_root(y2)
        if y is not None:
            found |= {y, P - y}
    return found


def square_root(a):
    root = pow(a, (P + 3) // 8, P)
    if root * root % P != a % P:
        root = root * pow(2, (P - 1) // 4, P) % P
    return root if root * root % P == a % P else None


TORSION_Y = {0, 1, P - 1} | eighth_order_y()


class Bad(Exception):
    """A refusal by its name."""


# 3.1: a walker that knows no types, and gives Python values: int, bytes, str, list, dict, True, False, None.
class Walker:
    def __init__(self, data):
        self.data, self.at, self.items = data, 0, 0

    def take(self, count):
        if self.at + count > len(self.data):
            raise Bad("cbor-truncated")
        part = self.data[self.at:self.at + count]
        self.at += count
        return part

    def whole(self):
        value = self.item(0)
        if self.at != len(self.data):
            raise Bad("cbor-trailing")
        return value

    def argument(self, info):
        if info < 24:
            return info
        if info in (28, 29, 30):
            raise Bad("cbor-reserved")
        if info == 31:
            raise Bad("cbor-indefinite")
        size = 1 << (info - 24)
        value = int.from_bytes(self.take(size), "big")
        least = {1: 24, 2: 2**8, 4: 2**16, 8: 2**32}[size]
        if value < least:
            raise Bad("cbor-not-shortest")
        return value

    def item(self, depth):
        self.items += 1
        if self.items > ITEMS:
            raise Bad("cbor-items")
        first = self.take(1)[0]
        major, info = first >> 5, first & 31
        if major == 7:
            if info in (20, 21, 22):
                return {20: False, 21: True, 22: None}[info]
            if info == 31:
                raise Bad("cbor-indefinite")
            raise Bad("cbor-reserved" if info in (28, 29, 30) else "cbor-simple")
        if major == 6:
            raise Bad("cbor-reserved" if info in (28, 29, 30) else "cbor-tag")
        value = self.argument(info)
        if major == 0:
            return value
        if major == 1:
            return -1 - value
        if major == 2:
            return self.take(value)
        if major == 3:
            try:
                return self.take(value).decode("utf-8")
            except UnicodeDecodeError:
                raise Bad("cbor-utf8") from None
        if depth >= DEPTH:
            raise Bad("cbor-depth")
        if major == 4:
            return [self.item(depth + 1) for _ in range(value)]
        pairs, last = {}, -1
        for _ in range(value):
            if self.at < len(self.data) and self.data[self.at] >> 5 != 0:
                raise Bad("cbor-key")
            key = self.item(depth + 1)
            if key <= last:
                raise Bad("cbor-key-order")
            last = key
            pairs[key] = self.item(depth + 1)
        return pairs


def decode(data):
    return Walker(data).whole()


def encode(value):
    return cbor2.dumps(value, canonical=True)


def verifies(key, message, signature):
    """3.5: strict: canonical S (the library's rule), no key or R of small order."""
    for point in (key, signature[:32]):
        y = int.from_bytes(point, "little") & (2**255 - 1)
        if y % P in TORSION_Y:
            return False
    try:
        Ed25519PublicKey.from_public_bytes(key).verify(signature, message)
        return True
    except (InvalidSignature, ValueError):
        return False


def structure(data, kind, audience):
    """3.3 to 3.6: (payload bytes, what is signed, hint, signature)."""
    if len(data) > OBJECT:
        raise Bad("object-size")
    outer = decode(data)
    if not (isinstance(outer, list) and len(outer) == 4 and outer[1] == {} and isinstance(outer[1], dict)
            and all(isinstance(outer[at], bytes) for at in (0, 2, 3))):
        raise Bad("cbor-shape")
    header, _, payload, signature = outer
    if len(header) != 13 or header[:5] != bytes.fromhex("a201320448"):
        raise Bad("envelope-header")
    aad = encode(["comity", 1, kind, audience])
    return payload, encode(["Signature1", header, aad, payload]), header[5:], signature


def opened(data, kind, audience, key, fields):
    """An object's fields and its hash, or the first check that fails."""
    payload, message, hint, signature = structure(data, kind, audience)
    if hint != hashlib.sha256(key).digest()[:8]:
        raise Bad("envelope-key")
    if len(signature) != 64 or not verifies(key, message, signature):
        raise Bad("envelope-signature")
    value = decode(payload)
    if not isinstance(value, list) or len(value) != fields:
        raise Bad("cbor-shape")
    return value, hashlib.sha256(message).digest()


def attempt(work):
    try:
        return work(), "ok"
    except Bad as bad:
        return None, str(bad)


def agree(found, expect, what):
    if found != expect:
        raise SystemExit(f"{what}: the vectors say {expect}, this reading of the spec says {found}")


def cbor(family):
    for case in family["cases"]:
        shown = case["bytes"]
        data = bytes.fromhex(shown if isinstance(shown, str) else shown["head"] + shown["repeat"] * shown["times"])
        value, name = attempt(lambda: decode(data))
        agree(name, case["expect"], f"cbor {str(shown)[:60]}")
        if name == "ok" and len(data) < 1000:
            agree(encode(value), data, f"cbor {shown}: encoding again")


def ed25519(family):
    for case in family["cases"]:
        key, message, signature = (bytes.fromhex(case[name]) for name in ("key", "message", "signature"))
        agree("ok" if verifies(key, message, signature) else "envelope-signature", case["expect"], case["why"])


def envelope(family):
    key, audience = bytes.fromhex(family["key"]), bytes.fromhex(family["audience"])
    for case in family["cases"]:
        shown = case["bytes"]
        data = bytes.fromhex(shown) if isinstance(shown, str) else bytes(shown["length"])
        result, name = attempt(lambda: opened(data, family["type"], audience, key, 2))
        agree(name, case["expect"], f"envelope: {case['why']}")
        if result:
            agree(result[1].hex(), case["hash"], f"the object hash: {case['why']}")


PREFIX = {"workspace": "ws", "user": "us", "group": "gr", "thread": "th", "submission": "sb", "invitation": "in"}


def ids(family):
    for case in family["cases"]:
        prefix, text = case["text"].split("_")
        raw = base64.b32decode(text.upper() + "=" * (-len(text) % 8))
        wire = decode(bytes.fromhex(case["cbor"]))
        if case["kind"] == "scope":
            wire, prefix_of = wire[1:], {0: "gr", 1: "th"}[wire[0]]
            agree(prefix, prefix_of, "the kind of a scope")
        else:
            agree(prefix, PREFIX[case["kind"]], "the prefix")
        agree(raw, wire, case["text"])


def limits(family):
    user = bytes([3]) * 48
    numbers = family["limits"]
    for case in family["cases"]:
        size = case["size"]
        body = [None, "x" * size, []] if case["what"] == "text" else [None, "x", [user] * size]
        agree(len(encode(body)), case["encoded"], "the length of a body")
        agree("ok" if size <= numbers[case["what"]] else "too-large", case["expect"], f"{case['what']} {size}")
    text = (HERE / "comity-1.md").read_text()
    for name in ("frame", "object", "text", "body"):
        assert f"{numbers[name]:,}" in text, f"limit {name} is not in the text"


def errors(family):
    clause = re.search(r"\*\*9\.9\*\*(.*?)\n\n", (HERE / "comity-1.md").read_text(), re.S).group(1).split("Retry")[0]
    named = dict((int(code), name) for code, name in re.findall(r"\b(\d+) ([a-z]+(?:-[a-z]+)*)", clause.replace("\n", " ")))
    for case in family["cases"]:
        agree(named.get(case["code"]), case["name"], f"code {case['code']}")


def manifests(family):
    for case in family["cases"]:
        result, name = attempt(lambda: chain([bytes.fromhex(link) for link in case["chain"]]))
        agree(name, case["expect"], f"manifests: {case['why']}")
        if result:
            agree(result.hex(), case["workspace"], "the workspace's id")


def chain(links):
    root, before, number, genesis, revoked = None, bytes(32), 0, None, []
    for data in links:
        payload = decode(structure(data, 1, None)[0])
        try:
            fields, digest = opened(data, 1, None, root or payload[6], 12)
        except Bad:
            raise Bad("signature") from None
        if fields[0] != number or fields[1] != before:
            raise Bad("malformed")
        if any(key in revoked for key in fields[7]):
            raise Bad("malformed")
        root, before, number, revoked = fields[6], digest, number + 1, fields[9]
        genesis = genesis or digest
    return genesis


def membership(family):
    key = bytes.fromhex(family["owner_key"])
    for case in family["cases"]:
        result, name = attempt(lambda: replay(case["events"], key))
        agree(name, case["expect"], f"membership: {case['why']}")
        if result:
            for field, value in result.items():
                agree(value, case[field], f"{case['why']}: {field}")


def replay(events, key):
    members, tombstones, ended, before, scope = {}, [], False, bytes(32), None
    for epoch, text in enumerate(events):
        event, digest = opened(bytes.fromhex(text), 2, None, key, 8)
        of, incarnation, at, previous, _, _, operations, _ = event
        if (incarnation, at, previous) != (0, epoch, before) or ended or (of is None) != (epoch == 0):
            raise Bad("gap")
        if of is not None and of[1:] != scope:
            raise Bad("gap")
        scope, before = scope or digest, digest
        for code, *fields in operations:
            if code == 2:
                members[fields[0][0]] = fields[0][1]
            elif code == 5:
                members[fields[0]] = fields[1]
            elif code in (3, 4):
                members.pop(fields[0], None)
                tombstones.append([fields[0].hex(), epoch])
            elif code == 9:
                members, ended = {}, True
    listed = [[user.hex(), members[user]] for user in sorted(members)]
    return {"id": scope.hex(), "epoch": len(events) - 1, "hash": before.hex(), "members": listed,
            "tombstones": tombstones, "ended": ended}


def content(family):
    owner, home = bytes.fromhex(family["owner"]), bytes.fromhex(family["home"])
    before, deleted = bytes(32), set()
    stored = [decode(bytes.fromhex(entry["stored"])) for entry in family["entries"]]
    for entry, sealed in stored:
        if entry[4] == 2 and sealed:
            deleted.add(decode(sealed[1])[0])
    for number, ((entry, sealed), case) in enumerate(zip(stored, family["entries"]), 1):
        thread, seq, previous, author, kind, _, _, _, commitment, submission, signed = entry
        agree((thread.hex(), seq, previous), (family["thread"], number, before), f"the link of entry {number}")
        before = hashlib.sha256(b"comity/1 entry" + encode(entry)).digest()
        agree(before.hex(), case["hash"], f"the hash of entry {number}")
        agree(sealed is None, number in deleted, f"whether the body of entry {number} is gone")
        if sealed:
            agree(hashlib.sha256(sealed[0] + sealed[1]).digest(), commitment, f"the commitment of entry {number}")
        if author[:32] == owner:
            agree(signed, None, f"entry {number} by the owner's user")
        else:
            agree(author[:32], home, f"the home of entry {number}")
            said, _ = opened(signed, 5, owner, bytes.fromhex(family["home_key"]), 6)
            agree(said[:5], [submission, thread, author, kind, commitment], f"what the home signed of entry {number}")
    head, _ = opened(bytes.fromhex(family["head"]), 4, None, bytes.fromhex(family["owner_key"]), 6)
    agree((head[0].hex(), head[4], head[5]), (family["thread"], len(stored), before), "the head")


def submissions(family):
    """What can be judged without a node's state: commitment and signature, which come first and last (7.3)."""
    owner, key = bytes.fromhex(family["owner"]), bytes.fromhex(family["home_key"])
    for case in family["cases"]:
        shown, expect = case["submission"], case["expect"]
        if "signed" not in shown:
            agree(expect, "too-large", case["why"])
            continue
        body, salt, data = (bytes.fromhex(shown[name]) for name in ("body", "salt", "signed"))
        claimed = decode(structure(data, 5, owner)[0])
        committed = hashlib.sha256(salt + body).digest() == claimed[4]
        agree(committed, expect != "malformed", f"{case['why']}: the commitment")
        _, name = attempt(lambda: opened(data, 5, owner, key, 6))
        agree(name == "ok", expect != "signature", f"{case['why']}: the signature")


# 9: the number of fields behind the code of each variant; None: a record with so many fields.
CONTROL = {0: 1, 1: 1, 2: 2, 3: 1, 4: 2, 5: 1, 6: 1, 7: 1, 8: 2, 9: 3, 10: 1, 11: 1, 12: 1, 13: 1, 14: 2, 15: 1}
VARIANTS = {"control": CONTROL, "submit": {0: 2, 1: 1}, "submit-answer": {0: 2, 1: 3, 2: 3},
            "item": {0: 1, 1: 1, 2: 1, 3: 1, 4: 1, 5: 1, 6: 1, 7: 1, 8: 3, 9: 2, 10: 2, 11: 1, 12: 3, 13: 3, 14: 3},
            "word": {0: 2, 1: 1, 2: 1, 3: 0, 4: 2, 5: 1, 6: 1, 7: 3, 8: 1, 9: 1, 10: 3, 11: 4}}
RECORDS = {"history-request": 4, "history-page": 4, "content-frame": 3}
NUMBER_ONLY = {6, 7}


def profile(value):
    """4.7: two fields, or four if they say more than two would."""
    if len(value) not in (2, 4) or not all(isinstance(text, str) for text in value[:3]):
        raise Bad("cbor-shape")
    if len(value) == 4 and (not isinstance(value[3], bool) or (value[2] == "" and value[3])):
        raise Bad("cbor-shape")
    return value


def shaped(kind, data):
    value = decode(data)
    if not isinstance(value, list) or not value:
        raise Bad("cbor-shape")
    if kind == "profile":
        return profile(value)
    if kind in RECORDS:
        if len(value) != RECORDS[kind]:
            raise Bad("cbor-shape")
        return value
    fields = VARIANTS[kind].get(value[0]) if isinstance(value[0], int) else None
    if fields is None or len(value) != fields + 1:
        raise Bad("cbor-shape")
    if kind == "control" and value[0] in NUMBER_ONLY and not isinstance(value[1], int):
        raise Bad("cbor-shape")
    return value


def frames(family):
    for case in family["cases"]:
        _, name = attempt(lambda: shaped(case["kind"], bytes.fromhex(case["bytes"])))
        agree(name, case["expect"], f"frames: {case.get('why', case['bytes'][:40])}")


KINDS = {0: "event", 1: "snapshot", 7: "manifests"}


def comparison(family):
    for case in family["cases"]:
        agree(shaped("control", bytes.fromhex(case["compare"]))[0], 5, case["why"])
        running = bytes(32)
        for row in case["rows"]:
            item = bytes.fromhex(row["item"])
            running = hashlib.sha256(b"comity/1 feed" + running + item).digest()
            agree(running.hex(), row["hash"], f"{case['why']}: the running hash")
            agree(KINDS[shaped("item", item)[0]], row["kind"], case["why"])


def moves(family):
    keys = {name: bytes.fromhex(shown) for name, shown in family["keys"].items()}
    old, new = bytes.fromhex(family["from"]), bytes.fromhex(family["to"])
    for case in family["cases"]:
        event, acceptance = bytes.fromhex(case["event"]), bytes.fromhex(case["acceptance"])

        def believed():
            last = opened(event, 2, None, keys["from"], 8)[0]
            accepted, digest = opened(acceptance, 14, old, keys["to"], 10)[:2]
            code, to, consent, _, _ = last[6][0]
            begins = ((last[1] >> 32) + 1) << 32
            bound = [code, to, consent, len(last[6])] == [13, new, digest, 1] and accepted[2] == old
            if not bound or [accepted[1], accepted[3], accepted[8]] != [last[0], last[1], begins] or accepted[4] >= last[2]:
                raise Bad("contradiction")
        _, name = attempt(believed)
        agree(name == "ok", case["expect"] == "ok", f"moves: {case['why']}")


def leases(family):
    for case in family["cases"]:
        allowance = -(-case["ttl"] // 100)
        agree(case["hidden_from"], case["asked"] + case["ttl"] - allowance, "11.3: the follower's end")
        agree(case["surely_over"], case["answered"] + case["ttl"] + allowance, "11.3: the owner's end")
    total = bytes(32)
    for place in family["places"]:
        parts = b"comity/1 roster" + bytes.fromhex(place["scope"]) + bytes.fromhex(place["user"])
        total = bytes(a ^ b for a, b in zip(total, hashlib.sha256(parts).digest()))
    agree(total.hex(), family["roster"], "11.1: the sum over a roster")
    key, audience = bytes.fromhex(family["key"]), bytes.fromhex(family["audience"])
    lease, _ = opened(bytes.fromhex(family["lease"]), 9, audience, key, 5)
    agree(lease[0].hex(), family["nonce"], "11.1: a lease answers its request")


def claim(data, key):
    """12.7: what an object says: for which position, and which hash is there."""
    for kind, fields in ((2, 8), (3, 12), (4, 6)):
        try:
            object_, digest = opened(data, kind, None, key, fields)
        except Bad:
            continue
        if kind == 2:
            return (object_[0] or digest, object_[1], object_[2]), digest
        if kind == 3:
            return (object_[0], object_[4], object_[5]), object_[6]
        return (object_[0] + object_[1], object_[2], object_[4]), object_[5]
    raise Bad("signature")


def contradictions(family):
    key = bytes.fromhex(family["key"])
    for case in family["incarnations"]:
        number = ((case["before"] >> 32) + 1 << 32) + int(case["random"], 16)
        agree((case["next"], case["first_epoch"]), (number, number >> 32 << 32), "12.3: an incarnation")
    for case in family["cases"]:
        (one, first), (two, second) = (claim(bytes.fromhex(case[name]), key) for name in ("first", "second"))
        agree(one == two and first != second, case["contradict"], case["why"])


# 13.5: types whose objects an audit record may hold, with the number of their fields.
OBJECTS = {2: 8, 3: 12, 4: 6, 5: 6, 6: 13, 7: 6, 8: 5, 9: 5, 10: 2, 12: 4, 13: 4, 14: 10}


def audit(family):
    for case in family["cases"]:
        result, name = attempt(lambda: exported(case["lines"]))
        agree(name, case["expect"], f"audit: {case['why']}")
        if result:
            agree(result.hex(), case["hash"], f"audit: {case['why']}: the last chain hash")


def unarmored(text):
    prefix, body = text.split("_")
    raw = base64.b32decode(body.upper() + "=" * (-len(body) % 8))
    return (b"\0" if prefix == "gr" else b"\1") + raw if prefix in ("gr", "th") else raw


def exported(lines):
    """13.5 up to the first record that breaks a rule, by its number."""
    head, *records, end = [json.loads(line) for line in lines]
    homes = {unarmored(home["workspace"]): [base64.b64decode(link) for link in home["chain"]] for home in head["homes"]}
    for home, links in homes.items():
        if chain(links) != home:
            raise Bad("manifests")
    me, before = unarmored(head["workspace"]), unarmored(head["before"])
    newest = decode(structure(homes[me][-1], 1, None)[0])
    seal = by_any(base64.b64decode(end["seal"]), 11, None, [key for key in newest[7] if key not in newest[9]], 6)
    if seal is None or seal[0] != me or seal[3] != end["count"] or seal[4] != unarmored(end["hash"]):
        raise Bad("seal")
    if [record["number"] for record in records] != list(range(seal[1], seal[2] + 1)):
        raise Bad("order")
    for record in records:
        line = encode([record["number"], audit_line(record)])
        if hashlib.sha256(b"comity/1 audit" + before + line).digest() != unarmored(record["hash"]):
            raise Bad(f"record {record['number']}")
        before = unarmored(record["hash"])
        if record["object"] and not proven(record, homes):
            raise Bad(f"record {record['number']}")
    if before != seal[4]:
        raise Bad("seal")
    return before


def by_any(data, kind, audience, keys, fields):
    for key in keys:
        value, _ = attempt(lambda: opened(data, kind, audience, key, fields)[0])
        if value is not None:
            return value
    return None


def audit_line(record):
    known = lambda text: None if text is None else unarmored(text)
    proof = record["object"] and [record["object"]["kind"], unarmored(record["object"]["signer"]),
                                  known(record["object"]["audience"]), base64.b64decode(record["object"]["bytes"])]
    return [record["time"], known(record["actor"]), known(record["peer"]), known(record["scope"]), record["act"],
            record["detail"], proof]


def proven(record, homes):
    proof = record["object"]
    links, data = homes.get(unarmored(proof["signer"]), []), base64.b64decode(proof["bytes"])
    if proof["kind"] == 1:
        return data in links
    keys = [key for link in links for key in decode(structure(link, 1, None)[0])[7]]
    audience = proof["audience"] and unarmored(proof["audience"])
    value = by_any(data, proof["kind"], audience, keys, OBJECTS[proof["kind"]])
    about = record["scope"] and unarmored(record["scope"])
    return value is not None and (proof["kind"] not in (2, 8, 14) or value[proof["kind"] == 14] in (None, about))


FAMILIES = [cbor, ed25519, envelope, ids, limits, errors, manifests, membership, content, submissions,
            frames, comparison, moves, leases, contradictions, audit]


def main():
    files = {path.stem for path in (HERE / "vectors").glob("*.json")}
    agree(files, {family.__name__ for family in FAMILIES}, "the families")
    for check in FAMILIES:
        family = json.loads((HERE / "vectors" / f"{check.__name__}.json").read_text())
        check(family)
        print(f"{check.__name__:<12} {len(family.get('cases', family.get('entries', []))):>4} cases agree")


if __name__ == "__main__":
    sys.exit(main())
