//! Selectors on a device, each with what upstream says of it.

use super::*;
use crate::api::devices::{Attribute, Capacity, Reach};
use crate::api::semver::Semver;
use std::collections::BTreeMap;

fn device() -> Device {
    let attributes: BTreeMap<Text, Attribute> = [
        ("model", Attribute::Text("a100".into())),
        ("index", Attribute::Int(3)),
        ("healthy", Attribute::Bool(true)),
        ("version", Attribute::Version(Semver::parse("1.10.2").unwrap())),
        ("other.example.com/rack", Attribute::Text("r1".into())),
    ]
    .map(|(name, value)| (name.into(), value))
    .into();
    let value = "40Gi".parse().unwrap();
    let capacity = [("memory".into(), Capacity { value, policy: None })].into();
    Device {
        name: "gpu-0".into(),
        attributes,
        capacity,
        consumes: Vec::new(),
        reach: Reach::Nowhere,
        taints: Vec::new(),
        binds_to_node: false,
        binding_conditions: Vec::new(),
        binding_failure_conditions: Vec::new(),
        allows_multiple: false,
    }
}

/// What a selector says of the device, `d` standing for its attributes and `c` for its capacities.
fn says(text: &str) -> Result<bool, String> {
    let text = text
        .replace("d.", "device.attributes[\"gpu.example.com\"].")
        .replace("c.", "device.capacity[\"gpu.example.com\"].");
    let program = Program::new(&text).unwrap_or_else(|error| panic!("{text}: {error}"));
    program.matches(&"gpu.example.com".into(), &device())
}

#[test]
fn selectors_hold_as_upstream() {
    let rows: [(&str, bool); 47] = [
        ("device.driver == \"gpu.example.com\"", true),
        ("device.driver != 'gpu.example.com'", false),
        ("d.model == \"a100\"", true),
        ("d.model == \"h100\"", false),
        ("device.attributes[\"gpu.example.com\"][\"model\"] == 'a100'", true),
        ("device.attributes['other.example.com'].rack == \"r1\"", true),
        ("d.index > 2 && d.index <= 3", true),
        ("d.index < 3 || d.index >= 4", false),
        ("d.index + 1 == 4 && d.index * 2 - 1 == 5 && d.index % 2 == 1 && d.index / 2 == 1", true),
        ("d.healthy", true),
        ("!d.healthy", false),
        ("-d.index == -3", true),
        ("d.index == 3.0", true),
        ("d.index in [1, 2, 3]", true),
        ("d.model in ['h100', \"b200\"]", false),
        ("\"model\" in device.attributes[\"gpu.example.com\"]", true),
        ("\"gpu.example.com\" in device.attributes", true),
        ("\"no.example.com\" in device.attributes", false),
        ("has(d.model) && !has(d.missing)", true),
        ("has(device.attributes[\"no.example.com\"].x)", false),
        ("d.?missing.orValue(\"x\") == \"x\"", true),
        ("d.?model.orValue(\"x\") == \"a100\"", true),
        ("d.?missing.hasValue()", false),
        ("d.?model.value() == \"a100\"", true),
        ("device.attributes[\"gpu.example.com\"][?\"index\"].orValue(0) == 3", true),
        ("d.?missing.or(optional.of(1)).value() == 1", true),
        ("c.memory.compareTo(quantity(\"40Gi\")) == 0", true),
        ("c.memory.isGreaterThan(quantity(\"10Gi\"))", true),
        ("c.memory == quantity(\"40960Mi\")", true),
        ("c.memory.sub(quantity(\"30Gi\")).isLessThan(quantity(\"11Gi\"))", true),
        ("c.memory.asInteger() > 1000 && c.memory.sign() == 1", true),
        ("isQuantity(\"5Gi\") && !isQuantity(\"5 apples\")", true),
        ("d.version.isGreaterThan(semver(\"1.9.0\"))", true),
        ("d.version.compareTo(semver(\"1.10.2\")) == 0", true),
        ("d.version.major() == 1 && d.version.minor() == 10 && d.version.patch() == 2", true),
        ("d.version == semver(\"v1.10.2\", true)", true),
        ("isSemver(\"1.2\")", false),
        ("d.model.startsWith(\"a\") && d.model.endsWith('00') && d.model.contains(\"10\")", true),
        ("d.model.matches(\"^.*100$\")", true),
        ("d.model.upperAscii().lowerAscii() == d.model && size(d.model) == 4", true),
        ("\"x,y\".split(\",\")[1] == \"y\" && 'a-b'.replace('-', '') == \"ab\"", true),
        ("cel.bind(a, device.attributes[\"gpu.example.com\"], a.healthy && a.index == 3)", true),
        ("[1, 2, d.index].exists(i, i == 3) && [1, 2].all(i, i < d.index)", true),
        (
            "[1, 2, 3].filter(i, i > 1).map(i, i * 2) == [4, 6] && [1, 3].exists_one(i, i == 3)",
            true,
        ),
        ("d.index > 1 ? d.model == \"a100\" : false", true),
        ("device.allowMultipleAllocations", false),
        ("(true || false) && !(false || false) // a comment", true),
    ];
    for (text, expected) in rows {
        assert_eq!(says(text), Ok(expected), "{text}");
    }
}

#[test]
fn errors_are_values_until_something_looks_at_them() {
    let hint = "consider using CEL optional chaining (.? followed by orValue()) or guarding the \
                check with has() for optional fields";
    let missing = format!("no such key: missing. {hint}");
    let rows: [(&str, Result<bool, &str>); 13] = [
        ("d.missing == 1", Err(&missing)),
        ("device.attributes[\"no.example.com\"].missing == 1", Err(&missing)),
        ("d.missing == 1 || true", Ok(true)),
        ("d.missing == 1 || false", Err(&missing)),
        ("d.missing == 1 && false", Ok(false)),
        ("cel.bind(x, d.missing, true)", Ok(true)),
        ("d.model == 1", Ok(false)),
        ("d.model < 1", Err("no such overload")),
        ("d.version == \"1.10.2\"", Err("no such overload")),
        ("d.version != \"1.10.2\"", Ok(true)),
        ("\"1.10.2\" == d.version", Ok(false)),
        ("d.version < semver(\"2.0.0\")", Err("no such overload: _<_")),
        (
            "d.index.compareTo(quantity(\"1\")) == 0",
            Err("no such overload: compareTo(int, kubernetes.Quantity)"),
        ),
    ];
    for (text, expected) in rows {
        assert_eq!(says(text), expected.map_err(str::to_owned), "{text}");
    }
}

#[test]
fn what_is_not_understood_is_told_when_it_is_read() {
    let deep = "(".repeat(60) + "true" + &")".repeat(60);
    let rows = [
        ("", "expected a name, found the end"),
        ("device.name == \"x\"", "undefined field \"name\": a device has driver, attributes"),
        ("devices.driver == \"x\"", "undeclared reference to \"devices\""),
        ("device.driver = \"x\"", "unexpected \"=\" at the end"),
        ("device.driver == \"x", "a text without an end"),
        ("ip(\"10.0.0.1\").family() == 4", "the function \"ip\" is not understood here"),
        ("device.driver.find(\"x\") == \"x\"", "the method \"find\" is not understood here"),
        ("size() == 1", "\"size\": wrong number of arguments"),
        ("has(device)", "has() takes a field"),
        ("true true", "unexpected literal at the end"),
        ("1 == 99999999999999999999", "\"99999999999999999999\" is no number"),
        ("true § false", "unexpected character '§'"),
        (&*deep, "more than 50 levels deep"),
    ];
    for (text, expected) in rows {
        let error = Program::new(text).unwrap_err();
        assert!(error.starts_with(expected), "{text}: {error}");
    }
}
