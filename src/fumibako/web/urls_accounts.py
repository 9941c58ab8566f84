"""Addresses of the pages about people and their logins."""

from django.urls import path

from .views.login import language, login, login_help, logout
from .views.member import member, member_link, member_resume, member_stop
from .views.one_time_link import one_time_link
from .views.people import people
from .views.profile import profile, profile_password

urlpatterns = [
    path("login/", login, name="login"),
    path("login/help/", login_help, name="login_help"),
    path("logout/", logout, name="logout"),
    path("language/", language, name="language"),
    path("in/<str:token>/", one_time_link, name="one_time_link"),
    path("settings/profile/", profile, name="profile"),
    path("settings/profile/password/", profile_password, name="profile_password"),
    path("admin/people/", people, name="people"),
    path("admin/people/<str:person>/", member, name="member"),
    path("admin/people/<str:person>/link/", member_link, name="member_link"),
    path("admin/people/<str:person>/stop/", member_stop, name="member_stop"),
    path("admin/people/<str:person>/resume/", member_resume, name="member_resume"),
]
