"""The service's HTTP interface: a module for each subject, listed in `ROUTERS`."""

from fastapi import APIRouter

from . import product

ROUTERS: list[APIRouter] = [product.router]
