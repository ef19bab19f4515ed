//! A component, compiled once: what comes of it is kept beside it, so that a start takes milliseconds.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};
use wasmtime::component::Component;
use wasmtime::error::Context as _;
use wasmtime::{Config, Engine, Result};

/// What components run on.
pub(crate) fn engine() -> Result<Engine> {
    let mut config = Config::new();
    config.wasm_component_model_async(true);
    Engine::new(&config)
}

/// Loads a component. The first time it is compiled, and what comes of it is kept in its folder as `NAME.HASH.cwasm`; the hash
/// is of the component, of the version of wasmtime and of the settings. Others of this name are removed: they are older. Where
/// nothing can be written, nothing is kept.
pub(crate) fn load(engine: &Engine, path: &Path) -> Result<Component> {
    let bytes = read(path)?;
    let kept = kept(engine, path, &bytes);
    if kept.is_file() {
        return trusted(engine, &kept);
    }
    let compiled = engine.precompile_component(&bytes).with_context(|| format!("{}", path.display()))?;
    match keep(&kept, &compiled) {
        Ok(()) => trusted(engine, &kept),
        Err(error) => {
            eprintln!("{}: {error}: the component will be compiled again next time", kept.display());
            Component::new(engine, &bytes)
        }
    }
}

/// Reads a component's file.
pub(crate) fn read(path: &Path) -> Result<Vec<u8>> {
    std::fs::read(path).with_context(|| format!("{} cannot be read", path.display()))
}

fn kept(engine: &Engine, path: &Path, bytes: &[u8]) -> PathBuf {
    let mut settings = DefaultHasher::new();
    engine.precompile_compatibility_hash().hash(&mut settings);
    let mut hash = Sha256::new();
    hash.update(settings.finish().to_le_bytes());
    hash.update(bytes);
    let hash: String = hash.finalize().iter().take(16).map(|byte| format!("{byte:02x}")).collect();
    path.with_extension(format!("{hash}.cwasm"))
}

fn keep(kept: &Path, compiled: &[u8]) -> std::io::Result<()> {
    let (folder, name) = (kept.parent().unwrap_or(Path::new("")), kept.file_name().unwrap_or_default());
    let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
    let name = name.to_string_lossy();
    let stem = name.split('.').next().unwrap_or_default();
    for other in std::fs::read_dir(folder)?.flatten() {
        let other_name = other.file_name().to_string_lossy().into_owned();
        let older = other_name.starts_with(&format!("{stem}.")) && other_name.ends_with(".cwasm");
        // whoever starts at the same time may have kept it already
        if older && other.path() != kept {
            std::fs::remove_file(other.path())?;
        }
    }
    // whole or not at all, for those who start at the same time
    let partial = folder.join(format!("{name}.{}", std::process::id()));
    std::fs::write(&partial, compiled)?;
    std::fs::rename(partial, kept)
}

#[expect(unsafe_code, reason = "wasmtime trusts compiled code, and cannot check it")]
fn trusted(engine: &Engine, kept: &Path) -> Result<Component> {
    // SAFETY: `keep` wrote it, under a name that no other settings and no other component have
    unsafe { Component::deserialize_file(engine, kept) }
}
