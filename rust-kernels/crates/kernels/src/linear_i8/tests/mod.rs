//! Every tier against plain loops over the unpacked weight.

mod activations;
mod calls;
mod case;
mod cost;
mod format;
mod halves;
mod per_token;
mod products;
mod tile_formats;
