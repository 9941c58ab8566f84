"""`{% icon "lock" %}`: one family of line icons, drawn on a 24 grid, as inline SVG.

Icons stand beside words and are hidden from screen readers; where one stands alone, its button or link carries an
`aria-label`.
"""

from django import template
from django.utils.html import format_html
from django.utils.safestring import SafeString, mark_safe

register = template.Library()

SHAPES = {
    "alert": '<path d="M12 3 2 20h20zM12 10v4M12 17h.01"/>',
    "check": '<path d="M20 6 9 17l-5-5"/>',
    "clock": '<circle cx="12" cy="12" r="9"/><path d="M12 7v5l3.5 2"/>',
    "copy": (
        '<rect x="9" y="9" width="12" height="12" rx="2"/>'
        '<path d="M5 15a2 2 0 0 1-2-2V5a2 2 0 0 1 2-2h8a2 2 0 0 1 2 2"/>'
    ),
    "cross": '<path d="M18 6 6 18M6 6l12 12"/>',
    "down": '<path d="m6 9 6 6 6-6"/>',
    "download": '<path d="M21 15v4a2 2 0 0 1-2 2H5a2 2 0 0 1-2-2v-4M7 10l5 5 5-5M12 15V3"/>',
    "file": '<path d="M14 2H6a2 2 0 0 0-2 2v16a2 2 0 0 0 2 2h12a2 2 0 0 0 2-2V8zM14 2v6h6M8 13h8M8 17h5"/>',
    "info": '<circle cx="12" cy="12" r="9"/><path d="M12 16v-4M12 8h.01"/>',
    "key": '<circle cx="7.5" cy="15.5" r="4.5"/><path d="m21 2-10 10M15.5 7.5l3 3L22 7l-3-3"/>',
    "left": '<path d="m15 18-6-6 6-6"/>',
    "lock": '<rect x="4" y="11" width="16" height="10" rx="2"/><path d="M8 11V7a4 4 0 0 1 8 0v4"/>',
    "mail": '<rect x="2" y="4" width="20" height="16" rx="2"/><path d="m22 7-10 6L2 7"/>',
    "picture": (
        '<rect x="3" y="3" width="18" height="18" rx="2"/><circle cx="9" cy="9" r="2"/>'
        '<path d="m21 15-3-3a2 2 0 0 0-3 0l-9 9"/>'
    ),
    "plus": '<path d="M5 12h14M12 5v14"/>',
    "right": '<path d="m9 18 6-6-6-6"/>',
    "search": '<circle cx="11" cy="11" r="7"/><path d="m21 21-4.5-4.5"/>',
    "server": (
        '<rect x="2" y="3" width="20" height="7" rx="2"/><rect x="2" y="14" width="20" height="7" rx="2"/>'
        '<path d="M6 6.5h.01M6 17.5h.01"/>'
    ),
    "settings": (
        '<path d="M3 6h10M19 6h2M3 12h2M11 12h10M3 18h9M18 18h3"/>'
        '<circle cx="16" cy="6" r="2.5"/><circle cx="8" cy="12" r="2.5"/><circle cx="15" cy="18" r="2.5"/>'
    ),
    "shield": '<path d="M12 22s8-3.5 8-10V5l-8-3-8 3v7c0 6.5 8 10 8 10z"/>',
    "users": (
        '<circle cx="9" cy="7" r="4"/>'
        '<path d="M2 21v-2a4 4 0 0 1 4-4h6a4 4 0 0 1 4 4v2M16 3.1a4 4 0 0 1 0 7.8M22 21v-2a4 4 0 0 0-3-3.9"/>'
    ),
}


@register.simple_tag
def icon(name: str, size: str = "") -> SafeString:
    """The icon called `name` as SVG; `size` "s" makes it 16 instead of 20 pixels. An unknown name is a KeyError."""
    return format_html(
        '<svg class="i{}" viewBox="0 0 24 24" aria-hidden="true">{}</svg>',
        f" {size}" if size else "",
        mark_safe(SHAPES[name]),  # noqa: S308 - constants of this file
    )
