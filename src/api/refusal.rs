//! Why the API server refuses a request, in upstream's words.

/// A refused request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// HTTP status: 403 is forbidden by admission, 422 invalid, 429 may be tried again.
    pub code: u16,
    /// `message` of the answer.
    pub message: String,
    /// `details.causes`, as far as anything looks at it.
    pub cause: Cause,
}

/// What stands behind a refusal.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub enum Cause {
    /// Nothing that anybody looks at.
    #[default]
    None,
    /// `DisruptionBudget`, with its message, which names the budget.
    DisruptionBudget(String),
    /// `NamespaceTerminating`: controllers that meet it give up in silence.
    NamespaceTerminating,
}

impl Refusal {
    /// Admission forbids it: `resource` is a plural, like `pods` or `deployments.apps`.
    pub fn forbidden(resource: &str, name: &str, why: &str) -> Refusal {
        let message = format!("{resource} \"{name}\" is forbidden: {why}");
        Refusal { code: 403, message, cause: Cause::None }
    }

    /// Validation finds the object wrong.
    pub fn invalid(kind: &str, name: &str, why: &[String]) -> Refusal {
        let message = format!("{kind} \"{name}\" is invalid: {}", aggregate(why));
        Refusal { code: 422, message, cause: Cause::None }
    }
}

/// Several errors as one (`utilerrors.NewAggregate`): each text once, in brackets if there are more
/// than one.
pub fn aggregate(errors: &[String]) -> String {
    let mut each: Vec<&str> = Vec::new();
    for error in errors {
        if !each.contains(&error.as_str()) {
            each.push(error);
        }
    }
    match each[..] {
        [one] => one.to_owned(),
        _ => format!("[{}]", each.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_are_put_together_as_upstream() {
        let rows: [(&str, &[&str], &str); 3] = [
            ("one stands alone", &["a"], "a"),
            ("two stand in brackets", &["a", "b"], "[a, b]"),
            ("the same one is told once", &["a", "a"], "a"),
        ];
        for (sentence, errors, expected) in rows {
            let errors: Vec<String> = errors.iter().map(|e| (*e).to_owned()).collect();
            assert_eq!(aggregate(&errors), expected, "{sentence}");
        }
    }
}
