//! RSA signatures (RFC 8017), checked with a public key only: nothing here is secret, so nothing takes constant time.

use crypto_bigint::modular::{BoxedMontyForm, BoxedMontyParams};
use crypto_bigint::{BoxedUint, Odd};
use sha2::{Digest, Sha256};

/// A modulus and an exponent, ready for many signatures.
#[derive(Debug)]
pub(super) struct PublicKey {
    /// The modulus, and what multiplying by it over and over takes.
    modulus: BoxedMontyParams,
    bits: usize,
    exponent: u64,
}

/// The largest exponent, as in most libraries: more would only make a check slow.
const MAX_EXPONENT: u64 = (1 << 33) - 1;

/// The bytes of a SHA-256, and of RFC 7518 §3.5's salt.
const HASH: usize = 32;

/// A SHA-256 in DER, up to the hash itself (RFC 8017 §9.2, note 1).
const DIGEST_INFO: [u8; 19] =
    [0x30, 0x31, 0x30, 0x0d, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x01, 0x05, 0x00, 0x04, 0x20];

/// The bits of a big-endian number.
pub(super) fn bits(number: &[u8]) -> usize {
    let mut rest = number.iter().skip_while(|byte| **byte == 0);
    rest.next().map_or(0, |first| first.ilog2() as usize + 1 + rest.count() * 8)
}

impl PublicKey {
    /// From big-endian numbers. `None` when they make no key: an even one, an exponent under 3 or over 2^33.
    pub(super) fn new(modulus: &[u8], exponent: &[u8]) -> Option<Self> {
        let bits = bits(modulus);
        let precision = u32::try_from(bits).ok()?;
        let modulus = Odd::new(BoxedUint::from_be_slice(modulus, precision).ok()?).into_option()?;
        let exponent = exponent.iter().try_fold(0, |number: u64, byte| {
            Some(number << 8 | u64::from(*byte)).filter(|number| *number <= MAX_EXPONENT)
        })?;
        if exponent < 3 || exponent % 2 == 0 {
            return None;
        }
        Some(Self { modulus: BoxedMontyParams::new_vartime(modulus), bits, exponent })
    }

    /// RSASSA-PKCS1-v1_5 with SHA-256 (§8.2.2): the one encoding of the message there is, compared as a whole, so that there is
    /// nothing to parse and nothing to overlook.
    pub(super) fn verify_pkcs1v15(&self, message: &[u8], signature: &[u8]) -> bool {
        let Some(encoded) = self.raise(signature) else { return false };
        let info = [DIGEST_INFO.as_slice(), &Sha256::digest(message)].concat();
        let Some(padding) = encoded.len().checked_sub(3 + info.len()) else { return false };
        encoded == [&[0, 1], vec![0xff; padding].as_slice(), &[0], &info].concat()
    }

    /// RSASSA-PSS with SHA-256, MGF1 with SHA-256 and a salt of 32 bytes (§8.1.2 and §9.1.2).
    pub(super) fn verify_pss(&self, message: &[u8], signature: &[u8]) -> bool {
        self.raise(signature).is_some_and(|mut encoded| self.is_pss(&mut encoded, message))
    }

    fn is_pss(&self, encoded: &mut [u8], message: &[u8]) -> bool {
        // one bit less than the modulus, which may be a whole byte less
        let unused = encoded.len() * 8 + 1 - self.bits;
        if bits(encoded) + unused > encoded.len() * 8 {
            return false;
        }
        let Some((0xbc, rest)) = encoded.get_mut(unused / 8..).and_then(<[u8]>::split_last_mut) else { return false };
        let Some((data, hash)) = rest.split_last_chunk_mut::<HASH>() else { return false };
        let mask = (0_u32..)
            .flat_map(|counter| Sha256::new().chain_update(*hash).chain_update(counter.to_be_bytes()).finalize());
        data.iter_mut().zip(mask).for_each(|(byte, mask)| *byte ^= mask);
        if let Some(first) = data.first_mut() {
            *first &= 0xff >> (unused % 8);
        }
        let Some((padding, salt)) = data.split_last_chunk::<HASH>() else { return false };
        let Some((1, zeros)) = padding.split_last() else { return false };
        let expected = Sha256::new().chain_update([0; 8]).chain_update(Sha256::digest(message)).chain_update(salt);
        zeros.iter().all(|byte| *byte == 0) && expected.finalize()[..] == hash[..]
    }

    /// The signature to the power of the exponent (§5.2.2), as long as the modulus. `None` unless it has exactly that length
    /// itself, and is less than the modulus.
    fn raise(&self, signature: &[u8]) -> Option<Vec<u8>> {
        let size = self.bits.div_ceil(8);
        let number = BoxedUint::from_be_slice(signature, self.modulus.bits_precision()).ok()?;
        if signature.len() != size || number >= **self.modulus.modulus() {
            return None;
        }
        let base = BoxedMontyForm::new(number, &self.modulus);
        let mut power = base.clone();
        for bit in (0..self.exponent.ilog2()).rev() {
            power = power.square();
            if self.exponent >> bit & 1 == 1 {
                power = power.mul(&base);
            }
        }
        let bytes = power.retrieve().to_be_bytes();
        bytes.get(bytes.len().checked_sub(size)?..).map(<[u8]>::to_vec)
    }
}
