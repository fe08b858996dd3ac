//! What an expression is to who wants to watch something: a condition, a number, or something calculated from variables.

use super::{Binary, Expression, Node, Unary};
use crate::source::Operator;

impl Expression {
    /// Whether it is true or false, and nothing else.
    pub(in crate::debug) fn is_condition(&self) -> bool {
        match self.node() {
            Node::Unary(Unary::Not, _) | Node::Binary(Binary::Or | Binary::And | Binary::Inside, ..) => true,
            Node::Binary(Binary::Of(operator), ..) => matches!(
                operator,
                Operator::Equal
                    | Operator::NotEqual
                    | Operator::Below
                    | Operator::AtMost
                    | Operator::Above
                    | Operator::AtLeast
            ),
            _ => false,
        }
    }

    /// Whether it is a number, as it stands.
    pub(in crate::debug) fn is_number(&self) -> bool {
        matches!(self.node(), Node::Number(..))
    }

    /// The first variable, or part of one, that is named in it.
    pub(in crate::debug) fn first_variable(&self) -> Option<String> {
        fn first(node: &Node) -> Option<String> {
            match node.is_variable() {
                true => Some(node.to_string()),
                false => node.parts().into_iter().find_map(first),
            }
        }
        first(self.node())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_watched_is_told_from_what_is_calculated() {
        for (text, is_condition, is_number, variable) in [
            ("counter > 100", true, false, Some("counter")),
            ("acc.balance != 100", true, false, Some("acc.balance")),
            ("n > 2 && r", true, false, Some("n")),
            ("!done", true, false, Some("done")),
            ("counter * 2", false, false, Some("counter")),
            ("$sp + 8", false, false, None),
            ("0x1000", false, true, None),
            ("list->next", false, false, Some("list->next")),
        ] {
            let expression = Expression::parse(text).expect("an expression");
            assert_eq!(expression.is_condition(), is_condition, "{text}");
            assert_eq!(expression.is_number(), is_number, "{text}");
            assert_eq!(expression.first_variable().as_deref(), variable, "{text}");
        }
    }
}
