//! What is wrong with YAML that cannot be read, and what its author probably meant.

use granit_parser::{ErrorKind, ScanError};
use portico_core::config::{Code, Severity};

use super::note::Note;
use super::tree::Span;

/// The note for an error of the parser, which stands at `span`.
pub(super) fn note(error: &ScanError, span: Span) -> Note {
    use ErrorKind as Is;
    let quotes = "put the value in quotes if this belongs to it";
    let (message, help) = match error.kind() {
        Is::TabInBlockIndentation | Is::TabInIndentation | Is::TabNotAllowed | Is::TabAtBlockScalarStart => {
            ("a tab cannot be used for indentation", "use spaces")
        }
        Is::TabInPlainScalar => {
            ("a tab in this value, or in the line below it", "use spaces for indentation, or put the value in quotes")
        }
        Is::MappingValueNotAllowed | Is::InvalidColonPlacement => {
            ("a `:` cannot stand here", "check the indentation, or put the value in quotes if the colon belongs to it")
        }
        Is::UnexpectedCharacter { character } if !character.is_control() => ("a value cannot begin like this", quotes),
        Is::UnexpectedCharacter { .. } => ("a control character", "write it as \\u in double quotes if it is meant"),
        Is::UnknownAnchor => ("no anchor of this name is defined above", quotes),
        Is::UnclosedFlowCollection { open: '[' } | Is::UnexpectedEofFlowSequence => ("this [ is never closed", ""),
        Is::UnclosedFlowCollection { .. } | Is::UnexpectedEofFlowMapping => ("this { is never closed", ""),
        Is::MisplacedFlowCollectionEnd => ("this closes nothing that is open", ""),
        Is::UnclosedQuotedScalar => ("these quotes are never closed", ""),
        Is::InvalidQuotedScalarIndent | Is::DocumentIndicatorInQuotedScalar => {
            ("text in quotes runs on to here", "close the quotes, or indent this line like the value it belongs to")
        }
        Is::InvalidTrailingSingleQuotedScalar => {
            ("text behind closed quotes", "a ' inside single quotes is written twice: 'it''s'")
        }
        Is::InvalidTrailingDoubleQuotedScalar => {
            ("text behind closed quotes", "a \" inside double quotes is written \\\"")
        }
        Is::UnknownQuotedScalarEscape => {
            ("an unknown escape in double quotes", "write \\\\ for a backslash, or use single quotes")
        }
        Is::RecursionLimitExceeded => ("nested too deeply", ""),
        Is::DirectiveDisallowed => ("directives are not supported", "remove the line: this is read as YAML 1.2"),
        Is::ExpectedBlockMappingKey | Is::SimpleKeyExpected | Is::InvalidSimpleKey => {
            ("expected `key: value` here", "check the indentation, and that there is a space behind the colon")
        }
        Is::ExpectedBlockSequenceEntry => ("expected `- item` here", "check the indentation"),
        Is::InvalidIndentation => ("the indentation fits nothing above", "check the indentation"),
        _ => return Note::at(Severity::Error, Code::Syntax, span, error.info()),
    };
    let note = Note::at(Severity::Error, Code::Syntax, span, message);
    if help.is_empty() { note } else { note.with_help(help) }
}
