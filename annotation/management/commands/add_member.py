import json
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import transaction

from annotation.members import MemberError, add_member, change_role
from annotation.models import Role
from annotation.scheme import study_named


class Command(BaseCommand):
    help = "Make an existing account a member of a study, or give a member another role."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("user", help="user name of an account that is there")
        parser.add_argument("--study", required=True, metavar="NAME")
        parser.add_argument("--role", required=True, choices=Role.values)

    def handle(self, *args: Any, **options: Any) -> None:
        role = Role(options["role"])
        try:
            # Together: a refused member leaves no new study behind.
            with transaction.atomic():
                study = study_named(options["study"])
                if study.memberships.filter(user__username=options["user"]).exists():
                    membership = change_role(study, options["user"], role)
                else:
                    membership = add_member(study, options["user"], role)
        except MemberError as error:
            raise CommandError(str(error)) from error
        self.stdout.write(json.dumps({"user": membership.user.username, "study": study.name, "role": membership.role}))
