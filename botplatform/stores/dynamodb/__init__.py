"""State in one DynamoDB table: markers with their pending effects, and state, changed together in one transaction."""

from botplatform.stores.dynamodb.store import DynamoStore
from botplatform.stores.dynamodb.table import create_table

__all__ = ["DynamoStore", "create_table"]
