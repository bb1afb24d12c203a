WITH by_quarter AS (
  SELECT date_trunc('quarter', seized_on) AS quarter, drug, count(*) AS seizures
  FROM seizures
  WHERE seized_on >= DATE '2023-01-01'
  GROUP BY date_trunc('quarter', seized_on), drug
  HAVING count(*) >= 500
)
SELECT CAST(quarter AS DATE) AS quarter, drug, seizures, round(100.0 * seizures / sum(seizures) OVER (PARTITION BY quarter), 1) AS percent
FROM by_quarter
ORDER BY quarter, seizures DESC
