#!/usr/bin/env python3
"""Writes data/operators.json from a dump of operator schemas.

Usage: tools/import_operators.py SCHEMAS.json > data/operators.json

SCHEMAS.json is an array with one object for each operator version, in the form that
`onnx_witness schemas` prints (domain, name, since_version, inputs, outputs, attributes,
type_constraints, …). The build does not run this script; it is how the file is renewed when ONNX
releases a new operator set. Versions in preparation are added (UNRELEASED below). Review the
difference of the file like code.
"""

import json
import sys

# Named groups of types, each a list of terms; a term is an element type, a group, or a container
# of either. Every list of a schema is written as the fewest terms that give exactly its types.
FLOAT8 = ["float8e4m3fn", "float8e4m3fnuz", "float8e5m2", "float8e5m2fnuz"]
GROUPS = {
    "ieee_float": ["float16", "float", "double"],
    "floating": ["ieee_float", "bfloat16"],
    "float8": FLOAT8,
    "int_32_64": ["int32", "int64"],
    "uint_32_64": ["uint32", "uint64"],
    "signed_int": ["int8", "int16", "int_32_64"],
    "unsigned_int": ["uint8", "uint16", "uint_32_64"],
    "integer": ["signed_int", "unsigned_int"],
    "wide_numeric": ["ieee_float", "int_32_64", "uint_32_64"],
    "numeric": ["ieee_float", "integer"],
    "complex": ["complex64", "complex128"],
    "any_ir3": ["numeric", "bool", "string", "complex"],
    "any_ir4": ["any_ir3", "bfloat16"],
    "any_ir9": ["any_ir4", "float8"],
    "any_ir10": ["any_ir9", "int4", "uint4"],
    "any_ir11": ["any_ir10", "float4e2m1"],
    "any_ir12": ["any_ir11", "float8e8m0"],
    "any_ir13": ["any_ir12", "int2", "uint2"],
    "real_ir3": ["numeric", "bool"],
    "real_ir4": ["real_ir3", "bfloat16"],
    "real_ir9": ["real_ir4", "float8"],
    "real_ir10": ["real_ir9", "int4", "uint4"],
    "real_ir11": ["real_ir10", "float4e2m1"],
    "real_ir12": ["real_ir11", "float8e8m0"],
    "real_ir13": ["real_ir12", "int2", "uint2"],
}


def members(term):
    if term in GROUPS:
        return set().union(*(members(t) for t in GROUPS[term]))
    return {term}


EXPANDED = {name: members(name) for name in GROUPS}

# Versions of operator sets in preparation, as rows of data/operators.json: what the changelog says of
# them today. They are taken only where SCHEMAS.json does not have them, so that a release overrules
# what is here; "latest" is a matter of data/versions.json, which lists releases only.
UNRELEASED = {
    "ai.onnx": {
        "Celu": [
            {"since": 28, "inputs": [["X", "T"]], "outputs": [["Y", "T"]],
             "attributes": {"alpha": ["FLOAT", 1.0]}, "types": {"T": "floating"},
             "function_body": [28], "flags": ["shape_inference"]}],
        "SwiGLU": [
            {"since": 28, "inputs": [["A", "T"], ["B", "T"]], "outputs": [["Y", "T"]],
             "attributes": {"alpha": ["FLOAT", 1.0]}, "types": {"T": "floating"},
             "function_body": [28], "flags": ["shape_inference"]}],
    },
}


def split(type_name):
    """"optional(seq(tensor(int8)))" -> ("optional(seq({}))", "int8")."""
    head, tail = type_name.split("tensor(", 1) if "tensor(" in type_name else (None, None)
    if head is None or "map(" in type_name:
        return None, type_name
    element = tail[: tail.index(")")]
    return head + "{}" + tail[tail.index(")") + 1 :], element


def terms(types):
    """The fewest terms that give exactly these types, containers last."""
    by_shape = {}
    for t in types:
        shape, element = split(t)
        by_shape.setdefault(shape, []).append(element)
    result = []
    for shape in sorted(by_shape, key=lambda s: (s is None, s or "")):
        left = set(by_shape[shape])
        whole = set(left)
        chosen = []
        while left and shape is not None:
            best = max(
                (g for g in GROUPS if EXPANDED[g] <= whole),
                key=lambda g: (len(EXPANDED[g] & left), -len(EXPANDED[g])),
                default=None,
            )
            if best is None or len(EXPANDED[best] & left) < 2:
                break
            chosen.append(best)
            left -= EXPANDED[best]
        chosen += sorted(left)
        result += chosen if shape is None else [shape.format(c) for c in chosen]
    return result[0] if len(result) == 1 else result


def parameter(p):
    row = [p["name"], p["type_str"]]
    if p["option"] != "single":
        row.append(p["option"])
    if p["option"] == "variadic":
        if not p["is_homogeneous"]:
            row.append("heterogeneous")
        if p["min_arity"] != 1:
            row.append(p["min_arity"])
    return row


def attribute(a):
    if a["required"]:
        return a["type"] + " required"
    return a["type"] if a["default"] is None else [a["type"], a["default"]]


def version(s):
    row = {"since": s["since_version"]}
    flags = [
        ("deprecated", s["deprecated"]),
        ("experimental", s.get("support_level") == "experimental"),
        ("non_deterministic", s.get("node_determinism") == "non_deterministic"),
        ("shape_inference", s.get("has_type_and_shape_inference")),
        ("data_propagation", s.get("has_data_propagation")),
    ]
    if s["inputs"]:
        row["inputs"] = [parameter(p) for p in s["inputs"]]
    if s["outputs"]:
        row["outputs"] = [parameter(p) for p in s["outputs"]]
    if s["attributes"]:
        row["attributes"] = {a["name"]: attribute(a) for a in s["attributes"]}
    if s["type_constraints"]:
        row["types"] = {t["param"]: terms(t["types"]) for t in s["type_constraints"]}
    if s.get("function_body_opsets"):
        row["function_body"] = s["function_body_opsets"]
    if s.get("context_dependent_function_opsets"):
        row["context_dependent_function"] = s["context_dependent_function_opsets"]
    if any(value for _, value in flags):
        row["flags"] = [name for name, value in flags if value]
    return row


def add_unreleased(domains):
    for domain, operators in UNRELEASED.items():
        known = domains.setdefault(domain, {})
        for name, rows in operators.items():
            versions = known.setdefault(name, [])
            newest = max((v["since"] for v in versions), default=0)
            versions += [row for row in rows if row["since"] > newest]
        domains[domain] = dict(sorted(known.items()))


def dump(value):
    return json.dumps(value, ensure_ascii=False)


def main():
    with open(sys.argv[1], encoding="utf-8") as f:
        schemas = json.load(f)
    domains = {}
    for s in sorted(schemas, key=lambda s: (s["domain"], s["name"], s["since_version"])):
        domains.setdefault(s["domain"] or "ai.onnx", {}).setdefault(s["name"], []).append(version(s))
    add_unreleased(domains)

    out = ["{"]
    out.append('"type_groups": {')
    out.append(",\n".join(f"  {dump(k)}: {dump(v)}" for k, v in GROUPS.items()))
    out.append("},")
    out.append('"operators": {')
    blocks = []
    for domain, operators in domains.items():
        ops = []
        for name, versions in operators.items():
            lines = ",\n".join("    " + dump(v) for v in versions)
            ops.append(f"  {dump(name)}: [\n{lines}\n  ]")
        blocks.append(f" {dump(domain)}: {{\n" + ",\n".join(ops) + "\n }")
    out.append(",\n".join(blocks))
    out.append("}\n}")
    print("\n".join(out))


main()
