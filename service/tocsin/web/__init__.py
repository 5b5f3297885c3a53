"""The pages, the service worker and the SDK, as the package ships them."""

from tocsin.web.assets import ASSET_HEADERS, ROOT_ASSETS, Asset, asset, manifest
from tocsin.web.pages import PAGES, render
from tocsin.web.security import CONTENT_SECURITY_POLICY, PAGE_HEADERS
from tocsin.web.service_worker import service_worker

__all__ = [
    "ASSET_HEADERS",
    "CONTENT_SECURITY_POLICY",
    "PAGES",
    "PAGE_HEADERS",
    "ROOT_ASSETS",
    "Asset",
    "asset",
    "manifest",
    "render",
    "service_worker",
]
