"""Every page's address. A page is a file of `views` and a template of the same name."""

from django.urls import include, path
from django.views.generic import RedirectView

from .views.causes import causes
from .views.letter import letter, letter_file, letter_frame, letter_picture, letter_raw
from .views.link import link, link_login
from .views.link_done import link_done
from .views.link_draft import link_again, link_consent, link_discard, link_draft, link_stop
from .views.link_folders import link_folders
from .views.link_manual import link_manual, link_servers
from .views.mail import mail
from .views.mailbox_connection import mailbox_connection
from .views.mailbox_folders import mailbox_folders
from .views.mailbox_password import mailbox_password, mailbox_relink
from .views.mailbox_unlink import mailbox_unlink
from .views.mailboxes import alias_add, alias_remove, mailboxes, prove_now, sent_copy, try_now

urlpatterns = [
    path("", RedirectView.as_view(pattern_name="mailboxes"), name="home"),
    path("", include("fumibako.web.urls_accounts")),
    path("settings/mailboxes/", mailboxes, name="mailboxes"),
    path("settings/mailboxes/link/", link, name="link"),
    path("settings/mailboxes/link/manual/", link_manual, name="link_manual"),
    path("settings/mailboxes/link/errors/", causes, name="causes"),
    path("settings/mailboxes/link/<str:draft>/", link_draft, name="link_draft"),
    path("settings/mailboxes/link/<str:draft>/login/", link_login, name="link_login"),
    path("settings/mailboxes/link/<str:draft>/servers/", link_servers, name="link_servers"),
    path("settings/mailboxes/link/<str:draft>/consent/", link_consent, name="link_consent"),
    path("settings/mailboxes/link/<str:draft>/again/", link_again, name="link_again"),
    path("settings/mailboxes/link/<str:draft>/stop/", link_stop, name="link_stop"),
    path("settings/mailboxes/link/<str:draft>/unlink/", link_discard, name="link_discard"),
    path("settings/mailboxes/link/<str:draft>/folders/", link_folders, name="link_folders"),
    path("settings/mailboxes/<str:mailbox>/linked/", link_done, name="link_done"),
    path("settings/mailboxes/<str:mailbox>/password/", mailbox_password, name="mailbox_password"),
    path("settings/mailboxes/<str:mailbox>/again/", mailbox_relink, name="mailbox_relink"),
    path("settings/mailboxes/<str:mailbox>/connection/", mailbox_connection, name="mailbox_connection"),
    path("settings/mailboxes/<str:mailbox>/folders/", mailbox_folders, name="mailbox_folders"),
    path("settings/mailboxes/<str:mailbox>/unlink/", mailbox_unlink, name="mailbox_unlink"),
    path("settings/mailboxes/<str:mailbox>/sent-copy/", sent_copy, name="mailbox_sent_copy"),
    path("settings/mailboxes/<str:mailbox>/aliases/add/", alias_add, name="mailbox_alias_add"),
    path("settings/mailboxes/<str:mailbox>/aliases/remove/", alias_remove, name="mailbox_alias_remove"),
    path("settings/mailboxes/<str:mailbox>/try/", try_now, name="mailbox_try"),
    path("settings/mailboxes/<str:mailbox>/compare/", prove_now, name="mailbox_compare"),
    path("mail/", mail, name="mail"),
    path("mail/<str:message>/", letter, name="letter"),
    path("mail/<str:message>/frame/", letter_frame, name="letter_frame"),
    path("mail/<str:message>/frame/<str:token>", letter_picture, name="letter_picture"),
    path("mail/<str:message>/files/<int:n>/", letter_file, name="letter_file"),
    path("mail/<str:message>/raw/", letter_raw, name="letter_raw"),
]
