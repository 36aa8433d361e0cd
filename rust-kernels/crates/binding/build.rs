//! Sets what a Node-API library needs from the linker.

fn main() {
    napi_build::setup();
}
