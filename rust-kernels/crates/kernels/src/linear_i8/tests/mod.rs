//! Every tier against plain loops over the unpacked weight.

mod activations;
mod calls;
mod case;
mod format;
mod per_token;
mod products;
