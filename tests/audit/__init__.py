"""The GraphQL door as others judge it: what two audits of the field ask, against a real `yotei run`."""
