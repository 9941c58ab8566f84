"""Every page's address. A page is a file of `views` and a template of the same name."""

from django.urls import path
from django.views.generic import RedirectView

urlpatterns = [
    path("", RedirectView.as_view(pattern_name="mailboxes"), name="home"),
]
