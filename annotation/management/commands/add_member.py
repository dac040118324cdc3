import json
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from annotation.members import MemberError, add_member, change_role
from annotation.models import Role, Study


class Command(BaseCommand):
    help = "Make an existing account a member of a study, or give a member another role."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("user", help="user name of an account that is there")
        parser.add_argument("--study", required=True, metavar="NAME")
        parser.add_argument("--role", required=True, choices=Role.values)

    def handle(self, *args: Any, **options: Any) -> None:
        # No study is made here: a slip in the name would leave an empty one with a member.
        study = Study.objects.filter(name=options["study"]).first()
        if study is None:
            raise CommandError(f"There is no study named {options['study']!r}.")
        role = Role(options["role"])
        try:
            if study.memberships.filter(user__username=options["user"]).exists():
                membership = change_role(study, options["user"], role)
            else:
                membership = add_member(study, options["user"], role)
        except MemberError as error:
            raise CommandError(str(error)) from error
        self.stdout.write(json.dumps({"user": membership.user.username, "study": study.name, "role": membership.role}))
