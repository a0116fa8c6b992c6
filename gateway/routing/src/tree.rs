//! `Node`: the patterns and prefixes of one host with many routes, by segment.

use crate::{
    claim::{Span, cut},
    str_map::StrMap,
};

/// What can follow after the segments that lead here.
#[derive(Debug)]
pub(crate) struct Node {
    pub(crate) literals: StrMap<Self>,
    pub(crate) param: Option<Box<Self>>,
    /// Patterns that end here.
    pub(crate) end: Span,
    /// Patterns whose `{*rest}` begins here.
    pub(crate) rest: Span,
    /// Prefixes that end here: they cover this path and all below.
    pub(crate) prefix: Span,
}

impl Node {
    /// Calls `offer` for the claims at every place of the tree that covers `path`: what is left of the
    /// path behind a slash, or `None` at its end.
    ///
    /// It goes deeper only for parameters, so its stack is bounded by the longest pattern; each node is
    /// entered at most once, so its time is bounded by the tree.
    pub(crate) fn walk(&self, mut path: Option<&str>, offer: &mut impl FnMut(Span)) {
        let mut node = self;
        loop {
            offer(node.prefix);
            let Some(left) = path else {
                offer(node.end);
                return;
            };
            if !left.is_empty() {
                offer(node.rest);
            }
            let (segment, tail) = cut(left);
            if let (Some(param), false) = (&node.param, segment.is_empty()) {
                param.walk(tail, offer);
            }
            match node.literals.get(segment) {
                Some(child) => (node, path) = (child, tail),
                None => return,
            }
        }
    }
}
