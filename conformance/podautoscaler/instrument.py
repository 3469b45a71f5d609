"""Puts the recorder of record.go around upstream's calculator and controller, in a copy of them."""

import re
import sys

FOLDER = sys.argv[1] + "/"


def change(name, *steps):
    text = open(FOLDER + name).read()
    for step in steps:
        text = step(text)
    open(FOLDER + name, "w").write(text)


def replace(old, new):
    def step(text):
        assert old in text, old
        return text.replace(old, new, 1)

    return step


def wrap(name):
    """Renames a calculation and gives its name to a function that records it."""

    def step(text):
        found = re.search(r"func \(c \*ReplicaCalculator\) " + name + r"\((.*?)\) \((.*?)\) \{", text)
        params = [part.split()[0] for part in found.group(1).split(", ")]
        inner = name[0].lower() + name[1:]
        selector = next((p for p in ("selector", "podSelector") if p in params), "nil")
        current = next(p for p in params if p in ("currentReplicas", "statusReplicas"))
        target = next(p for p in params if p.startswith("target"))
        more = '"container": container, "resource": resource' if "container" in params else '"metric": metricName'
        usage = "[]any{utilization, rawUtilization}" if name == "GetResourceReplicas" else "usage"
        line = (
            f'map[string]any{{"call": "{name}", "current": {current}, "target": {target}, '
            f'"up": tolerances.scaleUp, "down": tolerances.scaleDown, {more}}}'
        )
        wrapper = (
            f"func (c *ReplicaCalculator) {name}({found.group(1)}) ({found.group(2)}) {{\n"
            f"\trecBegin()\n"
            f"\tdefer func() {{ c.recCalculation({line}, namespace, {selector}, replicaCount, {usage}, err) }}()\n"
            f"\treturn c.{inner}({', '.join(params)})\n}}\n\n"
        )
        rest = text[found.start() :].replace(f"ReplicaCalculator) {name}(", f"ReplicaCalculator) {inner}(", 1)
        return text[: found.start()] + wrapper + rest

    return step


CALCULATIONS = [
    "GetResourceReplicas",
    "GetRawResourceReplicas",
    "GetMetricReplicas",
    "GetObjectMetricReplicas",
    "GetObjectPerPodMetricReplicas",
    "GetExternalMetricReplicas",
    "GetExternalPerPodMetricReplicas",
]

change(
    "replica_calculator.go",
    replace("metricsClient:                 metricsClient,", "metricsClient:                 recClient{metricsClient},"),
    *map(wrap, CALCULATIONS),
)
change(
    "horizontal.go",
    replace(
        "\thpaStatusOriginal := hpa.Status.DeepCopy()\n",
        "\thpaStatusOriginal := hpa.Status.DeepCopy()\n"
        "\trecLine, recOver := a.recSync(key, hpaShared, utilfeature.DefaultFeatureGate.Enabled(features.HPAScaleToZero))\n"
        "\tdefer func() { recOver(hpa, retErr) }()\n",
    ),
    replace(
        "\tcurrentReplicas := scale.Spec.Replicas\n\ta.recordInitial",
        '\trecLine["scale"] = map[string]any{"spec": scale.Spec.Replicas, "status": scale.Status.Replicas, "selector": scale.Status.Selector}\n'
        "\tcurrentReplicas := scale.Spec.Replicas\n\ta.recordInitial",
    ),
    replace(
        'recorder := broadcaster.NewRecorder(scheme.Scheme, v1.EventSource{Component: "horizontal-pod-autoscaler"})',
        'var recorder record.EventRecorder = recRecorder{broadcaster.NewRecorder(scheme.Scheme, v1.EventSource{Component: "horizontal-pod-autoscaler"})}',
    ),
)
change(
    "replica_calculator_test.go",
    replace("*replicaCalcSetup {\n\tt.Helper()\n", "*replicaCalcSetup {\n\tt.Helper()\n\trecTest = t.Name()\n"),
)
change(
    "horizontal_test.go",
    # The tests lift the limit of a scale-up; recorded is what ships.
    replace("\tscaleUpLimitFactor = 8", "\tscaleUpLimitFactor = 2"),
    lambda text: re.sub(r"(func newHorizontalSetup\(.*?\{\n)", r"\1\trecTest = t.Name()\n", text, count=1),
    lambda text: re.sub(r"(func \(tc \*testCase\) prepareTestClient\(.*?\{\n)", r"\1\trecTest = t.Name()\n", text, count=1),
)
