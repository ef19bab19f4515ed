//! Where the compiler is in a document: a [`Pointer`] that is put together only when there is something to say about the place.

use super::{Pointer, Segment};

/// A place in a document, as the steps from a place above it. It borrows what it was made from, so that going one step
/// further allocates nothing: of the many places that a compiler looks at, few are ever reported.
#[derive(Debug, Clone, Copy)]
pub(crate) enum At<'a> {
    /// The document itself.
    Root,
    /// Where something was found before.
    Pointer(&'a Pointer),
    /// The value of a key of that map.
    Key(&'a Self, &'a str),
    /// The value at that index of that list, from 0.
    Index(&'a Self, usize),
}

impl<'a> At<'a> {
    /// The value of `key` below this place.
    pub(crate) const fn child_key(&'a self, key: &'a str) -> Self {
        Self::Key(self, key)
    }

    /// The value at `index` below this place, from 0.
    pub(crate) const fn child_index(&'a self, index: usize) -> Self {
        Self::Index(self, index)
    }
}

impl From<&At<'_>> for Pointer {
    fn from(at: &At<'_>) -> Self {
        match at {
            At::Root => Self::root(),
            At::Pointer(pointer) => (*pointer).clone(),
            At::Key(above, key) => Self::from(*above).child(Segment::Key((*key).to_owned())),
            At::Index(above, index) => Self::from(*above).child(Segment::Index(*index)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn becomes_the_pointer_to_the_same_place() {
        let route = Pointer::root().child_key("routes").child_index(3);
        let at = At::Pointer(&route);
        let headers = at.child_key("headers");
        assert_eq!(
            Pointer::from(&headers.child_key("X Y").child_index(2)).to_string(),
            r#"routes[3].headers["X Y"][2]"#
        );
        assert_eq!(Pointer::from(&at), route);
        assert_eq!(Pointer::from(&At::Root), Pointer::root());
    }
}
