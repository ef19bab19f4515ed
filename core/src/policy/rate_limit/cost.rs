//! What a request takes from its limits.

use http::{HeaderName, Method};

use crate::config::{At, Code, Compiler, units, wire};
use crate::context::Context;

/// Units, by what is known of a request.
#[derive(Debug)]
pub(super) struct Cost {
    base: u32,
    methods: Vec<(Method, u32)>,
    /// A header, a value, and units.
    headers: Vec<(HeaderName, Box<str>, u32)>,
    /// Bytes, and units of a response that has more; the most bytes first.
    response: Vec<(u64, u32)>,
}

impl Cost {
    pub(super) fn compile(wire: &wire::Cost, at: &At<'_>, compiler: &mut Compiler) -> Option<Self> {
        let methods_at = at.child_key("methods");
        let mut methods = Vec::new();
        for (name, units) in &wire.methods {
            let parsed = compiler.methods(std::slice::from_ref(name), &methods_at);
            methods.extend(parsed.into_iter().map(|method| (method, *units)));
        }
        let mut headers = Vec::new();
        for (name, values) in &wire.headers {
            let at = at.child_key("headers");
            let Some(header) = compiler.header_name(name, &at.child_key(name)) else { continue };
            headers.extend(values.iter().map(|(value, units)| (header.clone(), value.as_str().into(), *units)));
        }
        let mut response = Vec::new();
        let response_at = at.child_key("response");
        for (index, class) in wire.response.iter().enumerate() {
            let at = response_at.child_index(index);
            response
                .extend(compiler.check(&at.child_key("over"), units::size(&class.over)).map(|over| (over, class.cost)));
        }
        response.sort_unstable_by(|(one, _), (other, _)| other.cmp(one));
        let cost = Self { base: wire.base, methods, headers, response };
        if cost.most() == 0 {
            compiler
                .error(at, "a request that costs nothing is not limited")
                .code(Code::NoEffect)
                .help("write `rate_limit: off`");
            return None;
        }
        Some(cost)
    }

    /// What a request takes when it comes.
    pub(super) fn of(&self, context: &Context<'_>) -> u32 {
        let holds = |name: &HeaderName, wanted: &str| {
            let mut values =
                context.headers.get_all(name).iter().flat_map(|line| line.as_bytes().split(|byte| *byte == b','));
            values.any(|value| value.trim_ascii() == wanted.as_bytes())
        };
        let headers = self.headers.iter().filter(|(name, value, _)| holds(name, value));
        let method = || self.methods.iter().find(|(method, _)| *method == context.method).map(|(_, units)| *units);
        headers.map(|(.., units)| *units).max().or_else(method).unwrap_or(self.base)
    }

    /// What it takes altogether once its response of so many bytes is known.
    pub(super) fn of_response(&self, size: u64) -> u32 {
        let class = self.response.iter().find(|(over, _)| size > *over);
        class.map_or(0, |(_, units)| *units)
    }

    /// The most that a request takes when it comes.
    pub(super) fn most(&self) -> u32 {
        let methods = self.methods.iter().map(|(_, units)| *units);
        let headers = self.headers.iter().map(|(.., units)| *units);
        methods.chain(headers).fold(self.base, u32::max)
    }

    /// The same for every request, if it is.
    pub(super) fn flat(&self) -> Option<u32> {
        let flat = self.methods.is_empty() && self.headers.is_empty() && self.response.is_empty();
        flat.then_some(self.base)
    }
}
