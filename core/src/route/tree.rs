//! The routes of one host as a tree of path segments.
//!
//! A walk visits every pattern that matches a path, the most specific first, until a visitor is content. That is what
//! routes with conditions need: the best pattern alone (what a radix router such as matchit answers) is of no use when
//! its routes turn out to want another header. A node is a place in the tree of segments, so a walk enters each at
//! most once and costs no more than the tree has nodes, whatever the path.

use std::collections::BTreeMap;

use super::pattern::{MAX_PARAMETERS, Segment};
use super::shape::{Shape, fold};

/// What can follow after the segments that led here.
#[derive(Debug, Clone, Default)]
pub(super) struct Node {
    statics: BTreeMap<Box<str>, Self>,
    /// In the order of [`Shape`]: the most specific first.
    mixed: BTreeMap<Shape, Self>,
    parameter: Option<Box<Self>>,
    /// Routes whose pattern ends here with a catch-all.
    catch_all: Vec<usize>,
    /// Routes whose pattern ends here.
    routes: Vec<usize>,
}

impl Node {
    /// The routes of a pattern, by index, for the caller to add to and keep in order.
    pub(super) fn routes_mut(&mut self, segments: &[Segment]) -> &mut Vec<usize> {
        let mut node = self;
        for segment in segments {
            node = match segment {
                Segment::Static(text) => node.statics.entry(text.clone()).or_default(),
                Segment::Mixed(shape) => node.mixed.entry(shape.clone()).or_default(),
                Segment::Parameter => node.parameter.get_or_insert_default(),
                Segment::CatchAll => return &mut node.catch_all,
            };
        }
        &mut node.routes
    }

    /// Shows the routes of each matching pattern to `visit`, the most specific pattern first, and stops at the first
    /// `Some`; `captures` then holds the values of that pattern's parameters.
    ///
    /// `rest` is the path after the slash behind this node, `None` at its end.
    pub(super) fn walk<'p>(
        &self,
        rest: Option<&'p str>,
        captures: &mut Captures<'p>,
        visit: &mut impl FnMut(&[usize]) -> Option<usize>,
    ) -> Option<usize> {
        let Some(rest) = rest else {
            return visit(&self.routes);
        };
        let (segment, tail) = rest.split_once('/').map_or((rest, None), |(segment, tail)| (segment, Some(tail)));
        if !self.statics.is_empty()
            && let Some(node) = self.statics.get(&*fold(segment))
            && let Some(found) = node.walk(tail, captures, visit)
        {
            return Some(found);
        }
        for (shape, node) in &self.mixed {
            if let Some(value) = shape.capture(segment)
                && let Some(found) = captures.with(value, |captures| node.walk(tail, captures, visit))
            {
                return Some(found);
            }
        }
        if let Some(node) = &self.parameter
            && !segment.is_empty()
            && let Some(found) = captures.with(segment, |captures| node.walk(tail, captures, visit))
        {
            return Some(found);
        }
        if self.catch_all.is_empty() {
            return None;
        }
        captures.with(rest, |_| visit(&self.catch_all))
    }
}

/// The values of the parameters on the way to a node, from left to right.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Captures<'p> {
    values: [&'p str; MAX_PARAMETERS],
    length: usize,
}

impl<'p> Captures<'p> {
    /// The values so far.
    pub(super) fn values(&self) -> &[&'p str] {
        self.values.get(..self.length).unwrap_or_default()
    }

    /// Runs `deeper` with one more value, which stays only when it finds something.
    fn with(&mut self, value: &'p str, deeper: impl FnOnce(&mut Self) -> Option<usize>) -> Option<usize> {
        // a pattern has at most as many parameters as there are places
        *self.values.get_mut(self.length)? = value;
        self.length += 1;
        let found = deeper(self);
        if found.is_none() {
            self.length -= 1;
        }
        found
    }
}
