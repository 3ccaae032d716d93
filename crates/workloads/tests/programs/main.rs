//! The programs as a pod runs them: processes with nothing but an environment.
#![expect(clippy::expect_used, reason = "a test that cannot go on should say what it missed")]

mod kv_read;
mod lasting;
mod s3_reader;
