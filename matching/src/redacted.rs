//! `Debug` of what is secret: its name, and nothing else.

/// Implements `Debug` of secret types so that it shows nothing of them.
macro_rules! redacted {
    ($($name:ident),+) => {
        $(
            impl std::fmt::Debug for $name {
                fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                    f.write_str(concat!(stringify!($name), "([redacted])"))
                }
            }
        )+
    };
}

pub(crate) use redacted;
