//! Generators, guard-page buffers and comparisons that all kernel tests share.
