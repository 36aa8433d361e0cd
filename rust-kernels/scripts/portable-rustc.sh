#!/bin/sh
# A RUSTC_WORKSPACE_WRAPPER: compiles the workspace's crates as for processors without x86 code. What they depend on is shared with other checks.
exec "$@" --cfg ne_portable
