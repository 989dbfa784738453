"""What answers have to look like, written down apart from the code that makes them."""

from marshmallow import Schema, fields, validate


class ProductSchema(Schema):
    """A product as clients see it."""

    id = fields.UUID(required=True)
    sku = fields.String(required=True)
    name = fields.String(required=True)
    price = fields.Decimal(required=True, places=2)
    status = fields.String(required=True, validate=validate.OneOf(["draft", "active", "retired"]))
    version = fields.Integer(required=True, strict=True)
    created_at = fields.AwareDateTime(required=True)
    updated_at = fields.AwareDateTime(required=True)
