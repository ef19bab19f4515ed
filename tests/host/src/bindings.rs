//! What `wit/` says, as traits.

mod generated {
    wasmtime::component::bindgen!({
        path: "wit",
        world: "host",
        imports: {
            "spin:key-value/key-value.[method]store.get-keys": trappable,
            default: async,
        },
        with: {
            "spin:key-value/key-value.store": crate::store::Open,
            "spin:redis/redis.connection": crate::spin::redis::Connection,
            "wasi:keyvalue/store.bucket": crate::store::Open,
            "wasi:keyvalue/atomics.cas": crate::keyvalue::Cas,
        },
    });
}

pub(crate) use self::generated::spin as spin_wit;
pub(crate) use self::generated::wasi::keyvalue as keyvalue_wit;
