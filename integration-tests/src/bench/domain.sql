SELECT s.country, date_trunc('quarter', s.seized_on) AS q, count(*) AS n, sum(i.kg_equiv) AS kg FROM seizures s JOIN seizure_items i ON i.seizure_id = s.seizure_id WHERE i.substance_code = 'METH' AND s.seized_on >= DATE '2023-01-01' GROUP BY 1, 2 ORDER BY 1, 2
SELECT departure_country, destination_country, transport, count(*) AS n, sum(kg_equiv) AS kg FROM seizures s JOIN seizure_items i ON i.seizure_id = s.seizure_id WHERE i.substance_code = 'KETAMINE' GROUP BY 1, 2, 3 ORDER BY kg DESC LIMIT 50
SELECT port_unlocode, substr(hs6, 1, 2) AS hs_chapter, count(*) AS n, sum(kg_equiv) AS kg FROM seizures s JOIN seizure_items i ON i.seizure_id = s.seizure_id WHERE transport = 'commercial_sea' AND concealment = 'container' GROUP BY 1, 2
SELECT date_trunc('quarter', seized_on) AS q, count(*) AS n, count(*) FILTER (WHERE transport = 'mail') AS n_mail FROM seizures s JOIN seizure_items i ON i.seizure_id = s.seizure_id WHERE i.substance_code_kind = 'synthetic' GROUP BY 1
SELECT s.country, count(*) AS n, min(date_trunc('month', s.seized_on)) AS first_month FROM seizures s JOIN seizure_items i ON i.seizure_id = s.seizure_id WHERE i.substance_code_group = 'NITAZENE' GROUP BY 1
SELECT brand_mimicked, substance_code, count(*) AS n, sum(tablets) AS tablets FROM seizure_items WHERE substance_code IN ('FENTANYL', 'NITAZENE_ANY') GROUP BY 1, 2
SELECT purity_pct_band, count(*) AS n, avg(purity_pct) AS mean_pct FROM seizure_items WHERE substance_code = 'METH' AND form = 'crystal' GROUP BY 1
SELECT substance_code, incident_type, destination_country, count(*) AS n, sum(quantity_kg) AS kg FROM precursor_shipments WHERE incident_type IS NOT NULL GROUP BY 1, 2, 3
SELECT origin_country, substance_code, count(*) AS pens, count(*) FILTER (WHERE status IN ('objected', 'suspended', 'stopped')) AS objected FROM precursor_shipments GROUP BY 1, 2
SELECT date_trunc('year', found_on) AS y, product_code, synthesis_route, scale, count(*) AS n, sum(capacity_kg_week) AS kg_week FROM laboratories GROUP BY 1, 2, 3, 4
SELECT date_trunc('quarter', found_on) AS q, precursor_code, count(*) AS n FROM laboratories WHERE product_code = 'METH' GROUP BY 1, 2
SELECT from_country, to_country, payment_form, lead_time_days_band, count(*) AS n, count(*) FILTER (WHERE outcome = 'seizure') AS hits FROM passenger_movements WHERE mode = 'air' GROUP BY 1, 2, 3, 4
SELECT counterparty_country, channel, typology, count(*) AS n, count(DISTINCT account_id) AS accounts, sum(amount_usd) AS usd FROM fin_transactions WHERE typology IN ('fan_in', 'cycle') GROUP BY 1, 2, 3
SELECT colour, issued_by, count(*) AS n FROM notices WHERE offence_code = 'DRUGS' AND expires_on >= DATE '2026-01-01' GROUP BY 1, 2
SELECT logo_label, substance_code, count(*) AS quarters FROM (SELECT logo_label, substance_code, date_trunc('quarter', seized_on) AS q, count(*) AS n FROM package_imprints WHERE imprint_kind IN ('logo', 'tablet_imprint') GROUP BY 1, 2, 3) t WHERE n > 0 GROUP BY 1, 2 HAVING count(*) >= 2
SELECT s.country, count(DISTINCT s.seizure_id) AS seizures, sum(i.kg_equiv) AS kg, sum(i.wholesale_usd) AS usd FROM seizures s JOIN seizure_items i ON i.seizure_id = s.seizure_id WHERE s.op_name = 'LIONFISH-MAYAG-III' GROUP BY 1
