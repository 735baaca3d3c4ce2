"""The database: engine, column types, models, repositories, migrations. Only here is SQLAlchemy.

What leaves this package are the frozen dataclasses of `db.records` and the errors of `db.errors`.
"""
