//! The programs that pods run, as a user's own program would be written: the platform SDK, its default credential
//! chain, the environment of the pod, one line of JSON. They hold no test logic and share nothing with the
//! house but the shape of that line.

pub mod flags;
pub mod kv_read;
pub mod program;
pub mod s3_reader;
