"""Makes the kept file of what the recorder wrote: each different calculation and sync once, with
ages in whole seconds, and of pods only what the autoscaler reads."""

import gzip
import json
import sys


def milli(quantity):
    text = str(quantity)
    return int(text[:-1]) if text.endswith("m") else int(float(text) * 1000)


def seconds(age):
    return age if age == "long" else round(age / 1000)


def pod(given):
    spec = given["spec"]
    sidecars = [c for c in spec.get("initContainers", []) if c.get("restartPolicy") == "Always"]
    containers = []
    for container in (spec["containers"] or []) + sidecars:
        requests = container.get("resources", {}).get("requests", {})
        line = {"name": container["name"]}
        if "cpu" in requests:
            line["cpu"] = milli(requests["cpu"])
        if container in sidecars:
            line["sidecar"] = True
        containers.append(line)
    line = {"name": given["name"], "phase": given["phase"], "containers": containers}
    line["ready"] = given.get("ready")
    if given["deleted"]:
        line["deleted"] = True
    for name, source in (("started_ago", "start_ago_ms"), ("changed_ago", "ready_ago_ms")):
        if source in given:
            line[name] = seconds(given[source])
    own = spec.get("resources", {}).get("requests")
    if own is not None:
        line["own"] = {name: milli(value) for name, value in own.items() if name == "cpu"}
    return line


def read(given):
    line = {key: value for key, value in given.items() if value not in (None, "")}
    if "pods" in line:
        line["pods"] = {
            name: {"milli": s["value"], "age": seconds(s["age_ms"]), "window": s["window_ms"] // 1000}
            for name, s in line["pods"].items()
        }
    return line


def conditions(given):
    keys = ("type", "status", "reason", "message")
    return [{key: c.get(key, "") for key in keys} for c in given or []]


def calculation(given):
    keys = ("kind", "call", "current", "target", "up", "down", "container", "resource", "metric", "replicas", "error")
    line = {key: given[key] for key in keys if given.get(key) not in (None, "")}
    line["reads"] = [read(one) for one in given["reads"] or []]
    line["pods"] = [pod(one) for one in given.get("pods") or []]
    return line


def sync(given, calculations):
    hpa, status = given["hpa"], given["status"]
    return {
        "kind": "sync",
        "spec": hpa["spec"],
        "desired": hpa["status"]["desiredReplicas"],
        "conditions": conditions(hpa["status"].get("conditions")),
        "scale": given["scale"],
        "scale_to_zero": given["scale_to_zero"],
        # Otherwise some test has told the controller that there were syncs, without any result.
        "is_first": given["is_first"],
        "pods": [pod(one) for one in given.get("pods") or []],
        "reads": [[read(one) for one in c["reads"] or []] for c in calculations],
        # Taken out again below: only syncs without one are kept.
        "history": bool(given["recommendations"] or given["ups"] or given["downs"]),
        "then": {
            "desired": status["desiredReplicas"],
            "conditions": conditions(status.get("conditions")),
            "events": given["events"] or [],
        },
    }


def counts(line):
    """Some tests sync many objects side by side, or one many times: what those read and remember
    can't be told apart."""
    ours = all(one["name"].startswith("test-pod") for one in line["pods"])
    found = [c["reason"] for c in line.get("then", {}).get("conditions", [])]
    unread = "ValidMetricFound" in found and not line["reads"]
    return ours and not line.get("history") and not unread


seen, kept, pending = set(), [], []
for text in open(sys.argv[1]):
    given = json.loads(text)
    if given["kind"] == "calculation":
        pending.append(given)
        line = calculation(given)
    else:
        own = [one for one in pending if one["test"] == given["test"]]
        pending = []
        if "test-pod" not in given.get("scale", {}).get("selector", ""):
            continue
        line = sync(given, own)
    key = json.dumps(line, sort_keys=True)
    if key not in seen and counts(line):
        seen.add(key)
        line.pop("history", None)
        kept.append({"test": given["test"], **line})
with gzip.GzipFile(sys.argv[2], "wb", mtime=0) as out:
    for line in kept:
        out.write((json.dumps(line, sort_keys=True, separators=(",", ":")) + "\n").encode())
kinds = [line["kind"] for line in kept]
print({kind: kinds.count(kind) for kind in sorted(set(kinds))})
