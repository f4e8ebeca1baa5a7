"""What people do with P(x): impute missing cells, condition, find anomalies."""
