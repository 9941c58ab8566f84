"""All addresses: those of the pages, and the one for load balancers. `/live` is answered before Django (`asgi.py`)."""

from django.urls import include, path

from fumibako.site.health import healthz

urlpatterns = [
    path("healthz", healthz, name="healthz"),
    path("", include("fumibako.web.urls")),
]
