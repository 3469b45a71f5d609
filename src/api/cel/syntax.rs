//! What an expression is made of. Macros are expanded: `has`, `exists`, `all` and the like are
//! forms of their own. This file knows neither text nor values.

use crate::api::Text;
use crate::api::quantity::Quantity;
use crate::api::semver::Semver;

/// An expression.
#[derive(Clone, PartialEq, Debug)]
pub(super) enum Expr {
    /// A literal.
    Literal(Literal),
    /// `[a, b]`.
    List(Vec<Expr>),
    /// A name.
    Name(Text),
    /// `of.field`, `of["field"]`, `of.?field`, `of[?"field"]`.
    Select { of: Box<Expr>, key: Box<Expr>, optional: bool },
    /// `has(of.field)`.
    Has { of: Box<Expr>, field: Text },
    /// A function of its arguments; of a method the first one is what stands before the dot.
    Call { function: Function, arguments: Vec<Expr> },
    /// `a == b` or, negated, `a != b`.
    Equal { left: Box<Expr>, right: Box<Expr>, negated: bool },
    /// `a < b`, `a <= b`, `a > b`, `a >= b`.
    Compare { left: Box<Expr>, right: Box<Expr>, operator: &'static str },
    /// `a + b`, `a - b`, `a * b`, `a / b`, `a % b`.
    Arithmetic { left: Box<Expr>, right: Box<Expr>, operator: &'static str },
    /// `a in b`.
    In { item: Box<Expr>, of: Box<Expr> },
    /// `!a`.
    Not(Box<Expr>),
    /// `-a`.
    Negative(Box<Expr>),
    /// `a || b || c`.
    Any(Vec<Expr>),
    /// `a && b && c`.
    All(Vec<Expr>),
    /// `a ? b : c`.
    If { condition: Box<Expr>, yes: Box<Expr>, no: Box<Expr> },
    /// `cel.bind(name, value, body)`.
    Bind { name: Text, value: Box<Expr>, body: Box<Expr> },
    /// A macro over the items of a list.
    Each { kind: Each, name: Text, of: Box<Expr>, body: Box<Expr> },
}

/// A macro over the items of a list.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Each {
    /// `exists`.
    Exists,
    /// `all`.
    All,
    /// `exists_one`.
    ExistsOne,
    /// `filter`.
    Filter,
    /// `map`.
    Map,
}

/// A literal.
#[derive(Clone, PartialEq, Debug)]
pub(super) enum Literal {
    Null,
    Bool(bool),
    Int(i64),
    Uint(u64),
    Double(f64),
    Text(Text),
    /// `quantity("1Gi")`, worked out once.
    Quantity(Quantity),
    /// `semver("1.2.3")`, likewise.
    Semver(Semver),
}

macro_rules! functions {
    ($($variant:ident $name:literal $method:literal $fewest:literal $most:literal),* $(,)?) => {
        /// A function by name.
        #[derive(Clone, Copy, PartialEq, Eq, Debug)]
        pub(super) enum Function { $($variant),* }

        impl Function {
            /// The function of this name, as a method or not, and how many arguments it takes, what
            /// stands before the dot included.
            pub(super) fn of(name: &str, is_method: bool) -> Option<(Function, usize, usize)> {
                match (name, is_method) {
                    $(($name, $method) => Some((Function::$variant, $fewest, $most)),)*
                    _ => None,
                }
            }

            /// Its name.
            pub(super) fn name(self) -> &'static str {
                match self { $(Function::$variant => $name),* }
            }
        }
    };
}

functions! {
    Size "size" false 1 1,
    SizeOf "size" true 1 1,
    Contains "contains" true 2 2,
    StartsWith "startsWith" true 2 2,
    EndsWith "endsWith" true 2 2,
    Matches "matches" true 2 2,
    MatchesOf "matches" false 2 2,
    LowerAscii "lowerAscii" true 1 1,
    UpperAscii "upperAscii" true 1 1,
    Trim "trim" true 1 1,
    Replace "replace" true 3 3,
    Split "split" true 2 2,
    Quantity "quantity" false 1 1,
    IsQuantity "isQuantity" false 1 1,
    Semver "semver" false 1 2,
    IsSemver "isSemver" false 1 2,
    CompareTo "compareTo" true 2 2,
    IsGreaterThan "isGreaterThan" true 2 2,
    IsLessThan "isLessThan" true 2 2,
    Sign "sign" true 1 1,
    IsInteger "isInteger" true 1 1,
    AsInteger "asInteger" true 1 1,
    Add "add" true 2 2,
    Sub "sub" true 2 2,
    Major "major" true 1 1,
    Minor "minor" true 1 1,
    Patch "patch" true 1 1,
    OrValue "orValue" true 2 2,
    Or "or" true 2 2,
    HasValue "hasValue" true 1 1,
    OptionalValue "value" true 1 1,
    OptionalOf "optional.of" false 1 1,
    OptionalNone "optional.none" false 0 0,
}
