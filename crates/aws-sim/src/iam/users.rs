//! The one user that an account has.

use crate::error::ApiError;
use crate::identity::CallerKind;
use crate::query::{Answer, NAME, Text, Validator, timestamp};

use super::Call;

const USER_NAME: Text = Text::of(1, 128).within(NAME, r"[\w+=,.@-]+");

/// Without a name: the user who asks. A session is no user (text: AWS CLI users' reports of `get-user` with a role).
pub(super) fn get(call: &Call<'_>) -> Result<Answer, ApiError> {
    let mut check = Validator::new(call.parameters);
    let named = check.optional("UserName", USER_NAME);
    check.finish()?;
    let name = match (named, &call.caller.kind) {
        (Some(name), _) => name,
        (None, CallerKind::User { name }) => name,
        (None, CallerKind::AssumedRole(_)) => {
            return Err(ApiError::validation("Must specify userName when calling with non-User credentials"));
        }
    };
    let arn = call.arn(&format!("user/{name}"));
    call.authorize(&arn)?;
    call.read(|account| {
        let user = account.users.get(name);
        let user =
            user.ok_or_else(|| ApiError::no_such_entity(format!("The user with name {name} cannot be found.")))?;
        Ok(Answer::of(|xml| {
            xml.element("User", |xml| {
                xml.text("Path", "/");
                xml.text("UserName", name);
                xml.text("UserId", &user.id);
                xml.text("Arn", &arn);
                xml.text("CreateDate", &timestamp(user.created));
            });
        }))
    })
}
