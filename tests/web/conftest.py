from tests.company import admin, member, organization, stranger

__all__ = ["admin", "member", "organization", "stranger"]
