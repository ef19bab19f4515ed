//! Templates: what is parsed can be written again, and no value breaks out of the place it is rendered into.
#![no_main]

use std::borrow::Cow;

use libfuzzer_sys::fuzz_target;
use portico_core::template::{Place, Template, Values, Variable};

/// Every name has this value.
struct Same<'v>(&'v str);

impl Values for Same<'_> {
    fn value(&self, _: &Variable) -> Option<Cow<'_, str>> {
        Some(Cow::Borrowed(self.0))
    }

    fn path_parameter(&self, _: &str) -> Option<&str> {
        // keeps its slashes by design: it is part of the canonical path
        Some("parameter")
    }
}

// the template, and on the lines after it the value
fuzz_target!(|input: &str| {
    let (text, hostile) = input.split_once('\n').unwrap_or((input, ""));
    let Ok(template) = Template::parse(text) else { return };

    for variable in template.variables() {
        let written = Template::parse(&format!("${{{}}}", variable.name())).expect("a name of a template is a name");
        assert_eq!(written.variables().collect::<Vec<_>>(), [variable]);
    }
    assert_eq!(template.as_literal().is_some(), template.variables().next().is_none());
    if !text.contains("${") {
        assert_eq!(template.as_literal(), Some(text));
    }

    let render = |value, place| template.render(&Same(value), place).expect("every value is there").into_owned();
    for (place, delimiters) in [(Place::Path, "/?#\\%; \r\n\t"), (Place::Query, "&=?#+ \r\n\t")] {
        let count = |text: &str| {
            // `%` as the start of an escape is what a delimiter became
            text.chars().filter(|c| *c != '%' && delimiters.contains(*c)).count()
        };
        assert_eq!(count(&render(hostile, place)), count(&render("x", place)), "{text} with {hostile}");
    }
    // as it is: nothing more, nothing less
    assert_eq!(render(hostile, Place::Text).len() - render("", Place::Text).len(), {
        template.variables().count() * hostile.len()
    });
});
