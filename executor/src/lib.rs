//! headgate-executor
mod admission;
mod artefact;
mod body;
mod compile;
mod component;
mod config;
mod core;
pub mod defaults;
mod engine;
mod error;
mod executor;
mod function;
mod invocation;
mod limits;
mod log;
mod metrics;
mod native;
mod response;
mod running;

pub use artefact::Artefacts;
pub use body::{BodyError, RequestBody};
pub use compile::{Compiled, GuestKind};
pub use config::Config;
pub use error::{
    ArtefactError, CompileError, Fault, GuestBodyError, InvokeError, Missing, MissingImport,
    OpenError, TrapReason, Trapped,
};
pub use executor::Executor;
pub use function::{Entry, Function, FunctionLimits, FunctionSpec};
pub use invocation::{HttpInvocation, Invocation};
pub use log::{GuestLine, GuestLog, GuestStream};
pub use metrics::Metrics;
pub use response::ResponseBody;
