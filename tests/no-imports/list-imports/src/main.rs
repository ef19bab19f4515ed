//! Prints what a Wasm module or component imports from its host, one import a line. A component imports whole
//! interfaces; which of their functions it calls is seen in its first module, the program itself (the modules after it
//! are adapters that the linker adds).

use std::error::Error;

use wasmparser::{Encoding, Parser, Payload};

fn main() -> Result<(), Box<dyn Error>> {
    let file = std::env::args().nth(1).ok_or("usage: list-imports FILE")?;
    let bytes = std::fs::read(file)?;
    let (mut components, mut modules) = (0, 0);
    for payload in Parser::new(0).parse_all(&bytes) {
        match payload? {
            Payload::Version { encoding, .. } => match encoding {
                Encoding::Component => components += 1,
                Encoding::Module => modules += 1,
            },
            Payload::ComponentImportSection(imports) if components == 1 => {
                for import in imports {
                    println!("{}", import?.name.name);
                }
            }
            Payload::ImportSection(imports) if modules == 1 => {
                for import in imports.into_imports() {
                    let import = import?;
                    println!("{} {}", import.module, import.name);
                }
            }
            _ => {}
        }
    }
    Ok(())
}
