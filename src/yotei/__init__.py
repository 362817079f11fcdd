"""Yotei: a calendar backend that stays fast."""
