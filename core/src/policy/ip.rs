//! Address rules: which client addresses may pass. The address is the one the platform vouches for, see
//! [`Context::client`].

use std::net::IpAddr;

use crate::config::{Code, Compiler, Pointer, wire};
use crate::context::{Context, Mode};
use crate::decision::{Policy, Reason};
use crate::error::Refusal;
use crate::net::Net;

/// Compiled address rules.
#[derive(Debug)]
pub struct Ip {
    allow: Vec<Net>,
    deny: Vec<Net>,
    mode: Mode,
}

impl Ip {
    pub(crate) fn compile(wire: &wire::Ip, at: &Pointer, compiler: &mut Compiler<'_>) -> Option<Self> {
        let mode = super::mode(wire.mode)?;
        if wire.allow.is_empty() && wire.deny.is_empty() {
            compiler
                .error(at, "address rules need `allow`, `deny` or both")
                .code(Code::NoEffect)
                .help("to have none, write `ip: off`");
        }
        let allow = compiler.nets(&wire.allow, &at.child_key("allow"));
        let deny = compiler.nets(&wire.deny, &at.child_key("deny"));
        Some(Self { allow, deny, mode })
    }

    /// Whether an address may pass: it is on no `deny` entry, and on an `allow` entry if there are any.
    pub fn permits(&self, address: IpAddr) -> bool {
        let on = |nets: &[Net]| nets.iter().any(|net| net.contains(address));
        !on(&self.deny) && (self.allow.is_empty() || on(&self.allow))
    }

    /// Step 5 of a request's life.
    pub fn check(&self, context: &mut Context<'_>) -> Result<(), Refusal> {
        if self.permits(context.client) {
            context.allow(Policy::Ip, Reason::AddressAllowed, "");
            return Ok(());
        }
        context.refuse(Refusal::new(Policy::Ip, Reason::AddressDenied), self.mode)
    }
}
