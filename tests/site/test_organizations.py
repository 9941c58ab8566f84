"""Organizations as the operator makes them."""

import pytest

from fumibako.accounts import log_in, open_link
from fumibako.accounts.models import Organization, Person
from fumibako.linking.models import MailDomain
from fumibako.site.data_folder import Sample
from fumibako.site.organizations import make_first_organization, make_organization, recommend_sample
from fumibako.site.refusal import Refusal

pytestmark = [pytest.mark.django_db, pytest.mark.lab]


def test_a_new_installation_has_an_admin_and_a_member_who_log_in():
    logins = make_first_organization()
    people = {role: log_in(said["login"], said["password"]) for role, said in logins.items()}
    assert {role: person.role for role, person in people.items()} == {"admin": "admin", "member": "member"}
    assert people["admin"].organization == people["member"].organization
    assert people["admin"].organization.name == "株式会社サンプル"


def test_where_people_are_nothing_is_made():
    make_organization("株式会社試験", "kanri")
    assert make_first_organization() is None
    assert Person.objects.count() == 1


def test_an_organization_is_made_with_an_admin_who_sets_a_password_by_link():
    made = make_organization("株式会社試験", "kanri")
    assert Organization.objects.get(public_id=made.public_id).name == "株式会社試験"
    assert open_link(made.path.rstrip("/").rpartition("/")[2]).login == "kanri"


def test_a_login_that_is_taken_makes_no_organization():
    make_organization("株式会社試験", "kanri")
    with pytest.raises(Refusal):
        make_organization("株式会社別", "kanri")
    assert Organization.objects.count() == 1


def test_the_samples_servers_are_recommended_and_follow_its_ports():
    make_first_organization()
    for port in (41143, 42143):
        recommend_sample(Sample(port, port + 1, "taro@sample.example", "secret", "/ca.pem"))
    domain = MailDomain.objects.get()
    assert (domain.domain, domain.imap_host, domain.imap_port, domain.smtp_port) == (
        "sample.example",
        "127.0.0.1",
        42143,
        42144,
    )
